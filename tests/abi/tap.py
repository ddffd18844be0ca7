# SPDX-License-Identifier: Apache-2.0
"""Results as TAP."""

import traceback


class Tap:
    def __init__(self):
        self.count = self.failures = 0

    def result(self, passed, name, detail=""):
        self.count += 1
        self.failures += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name}")
        for line in detail.splitlines() if not passed else []:
            print(f"# {line}")

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}")

    def run(self, name, test, *arguments):
        """`test` returns nothing, or a reason to skip; it fails by an exception."""
        try:
            reason = test(*arguments)
        except Exception:
            self.result(False, name, traceback.format_exc())
            return
        if reason:
            self.skip(name, reason)
        else:
            self.result(True, name)

    def end(self):
        print(f"1..{self.count}")
        return 1 if self.failures else 0
