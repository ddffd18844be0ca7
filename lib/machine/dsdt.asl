/* What the machine's guest cannot find out: the serial port, the panic port, the event device and how
 * to power off. */
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
            }
        }
    }
}
