# The sockets of processes, as Linux shows them: which ports they join, and what nobody has read yet.
import os
import socket
import struct

# sock_diag(7): a request for the length of the receive queue of one unix socket, and what stands in the answer.
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, UDIAG_SHOW_RQLEN, UNIX_DIAG_RQLEN = 4, 20, 1, 0x10, 4
HEADER, REQUEST, ANSWER, ANY = "=IHHII", "=BBHIIIII", 32, 0xFFFFFFFF


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def target(link):
    try:
        return os.readlink(link)
    except OSError:
        return ""


def numbers(pid):
    fds = "/proc/%d/fd" % pid
    targets = [target(os.path.join(fds, fd)) for fd in os.listdir(fds)]
    return {int(name[len("socket:["):-1]) for name in targets if name.startswith("socket:[")}


def port(address):
    return int(address.rsplit(":", 1)[1], 16)


# The TCP connections of a process: the number, the ports here and there, and how much was not read.
def tcp(pid):
    tables = [read("/proc/%d/net/%s" % (pid, table)).splitlines()[1:] for table in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table]
    own = numbers(pid)
    return [
        (int(line[9]), port(line[1]), port(line[2]), int(line[4].split(":")[1], 16))
        for line in lines if int(line[9]) in own
    ]


# How much of a unix socket was not read; 0 for any other.
def unread_of_unix(number):
    request = struct.pack(REQUEST, socket.AF_UNIX, 0, 0, ANY, number, UDIAG_SHOW_RQLEN, ANY, ANY)
    header = struct.pack(HEADER, 16 + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.send(header + request)
        answer = kernel.recv(65536)
    at = ANSWER if struct.unpack_from("=H", answer, 4)[0] == SOCK_DIAG_BY_FAMILY else len(answer)
    while at < len(answer):
        length, kind, unread = struct.unpack_from("=HHI", answer, at)
        if kind == UNIX_DIAG_RQLEN:
            return unread
        at += (length + 3) // 4 * 4
    return 0


# How much of each socket of a process was not read.
def unread(pid):
    of_tcp = {number: unread for number, _, _, unread in tcp(pid)}
    return {number: of_tcp.get(number) or unread_of_unix(number) for number in numbers(pid)}


