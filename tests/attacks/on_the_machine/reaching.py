"""Reach the network or another program through a socket."""

import asyncio
import http.client
import os
import socket
import urllib.request


def connect_to_a_server(target):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.connect(("127.0.0.1", target["port"]))


def connect_over_ipv6(target):
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as client:
        client.connect(("::ffff:127.0.0.1", target["port"]))


def connect_with_asyncio(target):
    asyncio.run(asyncio.open_connection("127.0.0.1", target["port"]))


def send_a_request(target):
    connection = http.client.HTTPConnection("127.0.0.1", target["port"], timeout=1)
    connection.request("GET", "/")


def open_an_address(target):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{target['port']}/", timeout=1)
    except TimeoutError:
        return


def start_a_store_of_torch(target):
    import torch.distributed

    torch.distributed.TCPStore("127.0.0.1", 0, 1, True)


def listen(target):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


def ask_a_name_server(target):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"secret", ("127.0.0.1", 53))


def look_up_a_name(target):
    socket.getaddrinfo("localhost", 80)


def send_raw_packets(target):
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def send_raw_messages(target):
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


def use_an_abstract_socket(target):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind("\0left-behind")


def use_a_socket_with_a_path(target):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(target["folder"] + "/socket")


def use_netlink(target):
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


def use_the_virtual_machines_socket(target):
    socket.socket(40, socket.SOCK_STREAM).close()


def use_the_kernels_ciphers(target):
    socket.socket(38, socket.SOCK_SEQPACKET).close()


def make_a_pair_of_sockets(target):
    for end in socket.socketpair():
        end.close()


def pass_a_descriptor(target):
    sender, receiver = socket.socketpair()
    socket.send_fds(sender, [b"x"], [0])
    socket.recv_fds(receiver, 1, 1)


def send_a_descriptor_to_the_judge(target):
    with socket.socket(fileno=os.dup(3)) as judge:
        socket.send_fds(judge, [b""], [0])
