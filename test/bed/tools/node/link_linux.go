// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"strconv"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// inside is what the node calls its end of the link.
const inside = "eth0"

// link gives a node a link to the machine: a pair of network devices, one of them
// in the node, with the addresses given (such as 10.0.0.1/30 and 10.0.0.2/30), a
// default route out of the node and a route to its pods. All of it ends with the
// node's network namespace.
func link(pid, hostAddress, nodeAddress, pods string) error {
	id, err := strconv.Atoi(pid)
	if err != nil {
		return fmt.Errorf("%q is no process id", pid)
	}
	host, err := netlink.ParseAddr(hostAddress)
	if err != nil {
		return fmt.Errorf("reading the address %s: %w", hostAddress, err)
	}
	node, err := netlink.ParseAddr(nodeAddress)
	if err != nil {
		return fmt.Errorf("reading the address %s: %w", nodeAddress, err)
	}
	_, podNet, err := net.ParseCIDR(pods)
	if err != nil {
		return fmt.Errorf("reading the network of pods: %w", err)
	}
	space, err := netns.GetFromPid(id)
	if err != nil {
		return fmt.Errorf("finding the network of process %d: %w", id, err)
	}
	defer func() { _ = space.Close() }()
	within, err := netlink.NewHandleAt(space)
	if err != nil {
		return fmt.Errorf("reaching the network of process %d: %w", id, err)
	}
	defer within.Close()
	outside, err := netlink.NewHandle()
	if err != nil {
		return fmt.Errorf("reaching the network of the machine: %w", err)
	}
	defer outside.Close()

	// Names of devices have 15 characters at most.
	name := "ksit" + pid
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: inside, PeerNamespace: netlink.NsFd(space)}
	if err := outside.LinkAdd(pair); err != nil {
		return fmt.Errorf("adding the devices %s and %s: %w", name, inside, err)
	}
	if err := bringUp(outside, name, host); err != nil {
		return err
	}
	if err := bringUp(within, "lo", nil); err != nil {
		return err
	}
	if err := bringUp(within, inside, node); err != nil {
		return err
	}
	if err := within.RouteAdd(&netlink.Route{Gw: host.IP}); err != nil {
		return fmt.Errorf("adding the route out of the node: %w", err)
	}
	if err := outside.RouteAdd(&netlink.Route{Dst: podNet, Gw: node.IP}); err != nil {
		return fmt.Errorf("adding the route to pods in %s: %w", podNet, err)
	}
	return nil
}

func bringUp(h *netlink.Handle, name string, address *netlink.Addr) error {
	device, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding the device %s: %w", name, err)
	}
	if address != nil {
		if err := h.AddrAdd(device, address); err != nil {
			return fmt.Errorf("giving %s the address %s: %w", name, address, err)
		}
	}
	if err := h.LinkSetUp(device); err != nil {
		return fmt.Errorf("bringing up %s: %w", name, err)
	}
	return nil
}
