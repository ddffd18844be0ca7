/* As dsdt.asl, of a machine with a PCI host: that too, and what is notified of it. */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "VSDK  ", "VSDKPC  ", 1)
{
    Name (\_S5, Package (4) {5, 5, 0, 0})
    Scope (\_SB)
    {
        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_STA, 0xF)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x3F8, 0x3F8, 0, 8)
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) {4}
            })
        }
        Device (PEVT)
        {
            Name (_HID, "QEMU0001")
            Name (_STA, 0xB)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x505, 0x505, 1, 1)
            })
        }
        /* Events come by an edge. The handler's read of the event register clears it and lowers the
         * line; what is to be notified, and the register to eject by, are added with what has them. */
        OperationRegion (EVTR, SystemIO, 0x620, 8)
        Field (EVTR, DWordAcc, NoLock, Preserve) { EVTS, 32, EJCT, 32 }
        Device (GED0)
        {
            Name (_HID, "ACPI0013")
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) {6}
            })
            Name (LAST, 0)
            Method (_EVT, 1, Serialized)
            {
                LAST = EVTS
                /* Something was added: the guest looks at every slot. */
                If (LAST & 1) { Notify (\_SB.PCI0, 0) }
                /* Slots are asked to go: their bits are in the eject register. */
                If (LAST & 2) { \_SB.PCI0.ASKS () }
            }
        }
        /* Linux uses the configuration space only if a device of this name has its addresses. */
        Device (MBRD)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xE0000000, 0x00100000)
            })
        }
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0)
            Name (_BBN, 0)
            Name (_UID, 0)
            Name (_CCA, 1)
            Name (_CBA, 0xE0000000)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0, 0xC0000000, 0xDFFFFFFF, 0, 0x20000000)
            })
            /* Of what a guest wants to control it gets the PCI Express capability (0x10): no hot-plug but
             * this table's, no power events, no error reports. */
            Method (_OSC, 4, Serialized)
            {
                CreateDWordField (Arg3, 0, CDW1)
                If (Arg0 == ToUUID ("33DB4D5B-1FF7-401C-9657-7441C03DD766"))
                {
                    CreateDWordField (Arg3, 8, CDW3)
                    Local0 = CDW3 & 0x10
                    If (Arg1 != 1) { CDW1 |= 0x08 }
                    If (CDW3 != Local0) { CDW1 |= 0x10 }
                    CDW3 = Local0
                }
                Else
                {
                    CDW1 |= 4
                }
                Return (Arg3)
            }
            /* A slot each: without _STA Linux reads whether somebody is there. */
            Device (S00) { Name (_ADR, 0x00000000) Name (_SUN, 0) Method (_EJ0, 1) { EJCT = 0x00000001 } }
            Device (S01) { Name (_ADR, 0x00010000) Name (_SUN, 1) Method (_EJ0, 1) { EJCT = 0x00000002 } }
            Device (S02) { Name (_ADR, 0x00020000) Name (_SUN, 2) Method (_EJ0, 1) { EJCT = 0x00000004 } }
            Device (S03) { Name (_ADR, 0x00030000) Name (_SUN, 3) Method (_EJ0, 1) { EJCT = 0x00000008 } }
            Device (S04) { Name (_ADR, 0x00040000) Name (_SUN, 4) Method (_EJ0, 1) { EJCT = 0x00000010 } }
            Device (S05) { Name (_ADR, 0x00050000) Name (_SUN, 5) Method (_EJ0, 1) { EJCT = 0x00000020 } }
            Device (S06) { Name (_ADR, 0x00060000) Name (_SUN, 6) Method (_EJ0, 1) { EJCT = 0x00000040 } }
            Device (S07) { Name (_ADR, 0x00070000) Name (_SUN, 7) Method (_EJ0, 1) { EJCT = 0x00000080 } }
            Device (S08) { Name (_ADR, 0x00080000) Name (_SUN, 8) Method (_EJ0, 1) { EJCT = 0x00000100 } }
            Device (S09) { Name (_ADR, 0x00090000) Name (_SUN, 9) Method (_EJ0, 1) { EJCT = 0x00000200 } }
            Device (S0A) { Name (_ADR, 0x000A0000) Name (_SUN, 10) Method (_EJ0, 1) { EJCT = 0x00000400 } }
            Device (S0B) { Name (_ADR, 0x000B0000) Name (_SUN, 11) Method (_EJ0, 1) { EJCT = 0x00000800 } }
            Device (S0C) { Name (_ADR, 0x000C0000) Name (_SUN, 12) Method (_EJ0, 1) { EJCT = 0x00001000 } }
            Device (S0D) { Name (_ADR, 0x000D0000) Name (_SUN, 13) Method (_EJ0, 1) { EJCT = 0x00002000 } }
            Device (S0E) { Name (_ADR, 0x000E0000) Name (_SUN, 14) Method (_EJ0, 1) { EJCT = 0x00004000 } }
            Device (S0F) { Name (_ADR, 0x000F0000) Name (_SUN, 15) Method (_EJ0, 1) { EJCT = 0x00008000 } }
            Device (S10) { Name (_ADR, 0x00100000) Name (_SUN, 16) Method (_EJ0, 1) { EJCT = 0x00010000 } }
            Device (S11) { Name (_ADR, 0x00110000) Name (_SUN, 17) Method (_EJ0, 1) { EJCT = 0x00020000 } }
            Device (S12) { Name (_ADR, 0x00120000) Name (_SUN, 18) Method (_EJ0, 1) { EJCT = 0x00040000 } }
            Device (S13) { Name (_ADR, 0x00130000) Name (_SUN, 19) Method (_EJ0, 1) { EJCT = 0x00080000 } }
            Device (S14) { Name (_ADR, 0x00140000) Name (_SUN, 20) Method (_EJ0, 1) { EJCT = 0x00100000 } }
            Device (S15) { Name (_ADR, 0x00150000) Name (_SUN, 21) Method (_EJ0, 1) { EJCT = 0x00200000 } }
            Device (S16) { Name (_ADR, 0x00160000) Name (_SUN, 22) Method (_EJ0, 1) { EJCT = 0x00400000 } }
            Device (S17) { Name (_ADR, 0x00170000) Name (_SUN, 23) Method (_EJ0, 1) { EJCT = 0x00800000 } }
            Device (S18) { Name (_ADR, 0x00180000) Name (_SUN, 24) Method (_EJ0, 1) { EJCT = 0x01000000 } }
            Device (S19) { Name (_ADR, 0x00190000) Name (_SUN, 25) Method (_EJ0, 1) { EJCT = 0x02000000 } }
            Device (S1A) { Name (_ADR, 0x001A0000) Name (_SUN, 26) Method (_EJ0, 1) { EJCT = 0x04000000 } }
            Device (S1B) { Name (_ADR, 0x001B0000) Name (_SUN, 27) Method (_EJ0, 1) { EJCT = 0x08000000 } }
            Device (S1C) { Name (_ADR, 0x001C0000) Name (_SUN, 28) Method (_EJ0, 1) { EJCT = 0x10000000 } }
            Device (S1D) { Name (_ADR, 0x001D0000) Name (_SUN, 29) Method (_EJ0, 1) { EJCT = 0x20000000 } }
            Device (S1E) { Name (_ADR, 0x001E0000) Name (_SUN, 30) Method (_EJ0, 1) { EJCT = 0x40000000 } }
            Device (S1F) { Name (_ADR, 0x001F0000) Name (_SUN, 31) Method (_EJ0, 1) { EJCT = 0x80000000 } }
            Method (ASKS, 0, Serialized)
            {
                Local0 = EJCT
                If (Local0 & 0x00000001) { Notify (S00, 3) }
                If (Local0 & 0x00000002) { Notify (S01, 3) }
                If (Local0 & 0x00000004) { Notify (S02, 3) }
                If (Local0 & 0x00000008) { Notify (S03, 3) }
                If (Local0 & 0x00000010) { Notify (S04, 3) }
                If (Local0 & 0x00000020) { Notify (S05, 3) }
                If (Local0 & 0x00000040) { Notify (S06, 3) }
                If (Local0 & 0x00000080) { Notify (S07, 3) }
                If (Local0 & 0x00000100) { Notify (S08, 3) }
                If (Local0 & 0x00000200) { Notify (S09, 3) }
                If (Local0 & 0x00000400) { Notify (S0A, 3) }
                If (Local0 & 0x00000800) { Notify (S0B, 3) }
                If (Local0 & 0x00001000) { Notify (S0C, 3) }
                If (Local0 & 0x00002000) { Notify (S0D, 3) }
                If (Local0 & 0x00004000) { Notify (S0E, 3) }
                If (Local0 & 0x00008000) { Notify (S0F, 3) }
                If (Local0 & 0x00010000) { Notify (S10, 3) }
                If (Local0 & 0x00020000) { Notify (S11, 3) }
                If (Local0 & 0x00040000) { Notify (S12, 3) }
                If (Local0 & 0x00080000) { Notify (S13, 3) }
                If (Local0 & 0x00100000) { Notify (S14, 3) }
                If (Local0 & 0x00200000) { Notify (S15, 3) }
                If (Local0 & 0x00400000) { Notify (S16, 3) }
                If (Local0 & 0x00800000) { Notify (S17, 3) }
                If (Local0 & 0x01000000) { Notify (S18, 3) }
                If (Local0 & 0x02000000) { Notify (S19, 3) }
                If (Local0 & 0x04000000) { Notify (S1A, 3) }
                If (Local0 & 0x08000000) { Notify (S1B, 3) }
                If (Local0 & 0x10000000) { Notify (S1C, 3) }
                If (Local0 & 0x20000000) { Notify (S1D, 3) }
                If (Local0 & 0x40000000) { Notify (S1E, 3) }
                If (Local0 & 0x80000000) { Notify (S1F, 3) }
            }
        }
    }
}
