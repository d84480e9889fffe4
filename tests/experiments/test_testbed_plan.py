"""The network of the testbed on paper: addresses, and commands that stay in its own namespaces."""

import ipaddress

import pytest

from experiments.testbed.plan import HEADER_BYTES, SEGMENT_BYTES, Plan, rate_command, shaping

PLAN = Plan("x", [50e6, 200e6, 100e6])


def test_every_link_has_a_network_of_its_own():
    links = Plan("x", [1e6] * 256).links
    networks = [ipaddress.ip_network(f"{link.users}/30", strict=False) for link in links]
    assert len({*networks}) == len({link.device for link in links}) == 256
    assert all(len(link.device) < 16 for link in links)  # a name that the kernel takes
    for link, own in zip(links, networks, strict=True):
        assert {ipaddress.ip_address(link.users), ipaddress.ip_address(link.server)} == {*own.hosts()}


def test_every_command_stays_in_the_namespaces_of_the_plan():
    for command in PLAN.commands():
        own = command[:3] == ["ip", "netns", "add"] and command[3] in PLAN.namespaces
        inside = command[0] in ("ip", "tc") and command[1] == "-n" and command[2] in PLAN.namespaces
        entered = command[0] == "nsenter" and command[1].removeprefix("--net=/run/netns/") in PLAN.namespaces
        assert own or inside or entered, command


def test_a_setting_that_a_kernel_does_not_have_is_passed_over():
    settings = [command for command in PLAN.commands() if "sysctl" in command]
    assert len(settings) == 16 and all("e" in command[command.index("sysctl") + 1] for command in settings)


def test_each_link_is_built_from_users_to_server_and_comes_up_on_both_sides():
    words = [" ".join(command) for command in PLAN.commands()]
    for link in PLAN.links:
        assert f"ip -n x-users link add {link.device} type veth peer name {link.device} netns x-server" in words
        for side, address in (("users", link.users), ("server", link.server)):
            assert f"ip -n x-{side} address add {address}/30 dev {link.device}" in words
            assert f"ip -n x-{side} link set {link.device} up" in words


def test_a_link_carries_its_rate_as_payload():
    """50 Mbit/s of payload are 50 * 1514 / 1448 = 52.28 Mbit/s with all headers."""
    assert " rate 52279005bit ceil 52279005bit " in rate_command("change", "gateway0", 50e6)
    assert pytest.approx(52279005) == 50e6 * (SEGMENT_BYTES + HEADER_BYTES) / SEGMENT_BYTES


def test_a_link_is_a_class_with_a_fifo_under_it():
    root, link, fifo = shaping("gateway2", 100e6)
    assert root == "qdisc replace dev gateway2 root handle 1: htb default 1"
    assert link.startswith("class add dev gateway2 parent 1: classid 1:1 htb rate 104558011bit")
    assert fifo == "qdisc replace dev gateway2 parent 1:1 handle 10: bfifo limit 2613950"  # 0.2 s


def test_the_slowest_link_still_sends_a_segment():
    assert " burst 3028 cburst 3028 " in rate_command("add", "gateway0", 1.0)
