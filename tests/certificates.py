"""A CA of the test's own and certificates that it signed, by the `openssl` command. Not a test."""

import os
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest


class Authority:
    """A CA in a folder."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            if os.environ.get("CI") == "true":
                pytest.fail("the openssl command is missing")
            pytest.skip("the openssl command is missing")
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = str(folder / "ca.pem")
        extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign"]
        self._openssl("req", "-x509", *self._key("ca"), "-out", self.ca, "-subj", "/CN=test CA", *extensions)

    def issue(self, name: str, *alternatives: str, days: int = 2) -> tuple[str, str]:
        """Certificate and key for subject alternative names such as "IP:127.0.0.1"; the paths of both.

        Args:
            days: of its validity from now on; one that has expired has a number below 0.
        """
        certificate, request = self._folder / f"{name}.pem", self._folder / f"{name}.csr"
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(alternatives)}\n")
        self._openssl("req", *self._key(name), "-out", str(request), "-subj", f"/CN={name}")
        self._openssl(
            *("x509", "-req", "-in", str(request), "-CA", self.ca, "-CAkey", str(self._folder / "ca.key")),
            *("-CAcreateserial", "-out", str(certificate), "-days", str(days), "-extfile", str(extensions)),
        )
        return str(certificate), str(self._folder / f"{name}.key")

    def _key(self, name: str) -> list[str]:
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        return [*kind, "-keyout", str(self._folder / f"{name}.key")]

    def _openssl(self, *words: str) -> None:
        done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def dates_by_openssl(certificate: str) -> list[float]:
    """Seconds since 1970 from and until which a certificate is valid, as `openssl` reads them."""
    done = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-startdate", "-enddate"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    return [float(ssl.cert_time_to_seconds(each.partition("=")[2])) for each in lines]
