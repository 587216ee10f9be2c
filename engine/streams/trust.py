"""Whether the file with the authority that signed a server's certificate is one."""

from __future__ import annotations

import ssl


def unreadable(tls_ca: str, section: str) -> tuple[str, str] | None:
    """What is wrong with the file that `section` of the configuration names, and what to do; None where nothing is."""
    try:
        ssl.create_default_context(cafile=tls_ca or None)
    except (OSError, ValueError) as error:  # ssl.SSLError, which a file without certificates raises, is an OSError
        return (
            f"The authority of the certificate, {tls_ca}, cannot be read: {error}",
            f"Correct [{section}] tls_ca: a file with certificates in PEM, or empty for those of the system.",
        )
    return None
