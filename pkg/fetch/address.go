// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"fmt"
	"net/netip"
	"syscall"
)

// reserved are the networks, besides those that netip knows by name, in which
// no source of charts can be: they are the host itself, the cloud's metadata
// and agents, or nobody.
var reserved = [...]netip.Prefix{
	netip.PrefixFrom(netip.AddrFrom4([4]byte{0}), 8),
	// Reserved, and the broadcast address.
	netip.PrefixFrom(netip.AddrFrom4([4]byte{240}), 4),
	// The metadata service of Alibaba Cloud and Tencent Cloud.
	netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 100, 100, 200}), 32),
	// The agent of Azure.
	netip.PrefixFrom(netip.AddrFrom4([4]byte{168, 63, 129, 16}), 32),
	// IPv6 site-local, given up by RFC 3879.
	netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfe, 0xc0}), 10),
	// The metadata service of AWS.
	netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x00, 0x0e, 0xc2, 15: 0x54, 14: 0x02}), 128),
	// The metadata service of Google Cloud.
	netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x20, 0x00, 0xce, 14: 0x02, 15: 0x54}), 128),
	// Teredo: it wraps an IPv4 address of somebody's choosing.
	netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01}), 32),
}

// wrapped are the networks whose addresses hold an IPv4 address, and where.
var wrapped = [...]struct {
	network netip.Prefix
	at      int
}{
	// IPv4-compatible.
	{netip.PrefixFrom(netip.AddrFrom16([16]byte{}), 96), 12},
	// NAT64, and its local-use prefix with the address in its last 32 bits.
	{netip.PrefixFrom(netip.AddrFrom16([16]byte{0x00, 0x64, 0xff, 0x9b}), 96), 12},
	{netip.PrefixFrom(netip.AddrFrom16([16]byte{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}), 48), 12},
	// 6to4.
	{netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x02}), 16), 2},
}

// forbidden says what makes an address one that no tenant may have KSIT
// connect to; empty for the others. Private networks are not among them: a
// company's mirror lives there.
func forbidden(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	switch {
	case !addr.IsValid():
		return "invalid"
	case addr.IsUnspecified():
		return "unspecified"
	case addr.IsLoopback():
		return "loopback"
	case addr.IsLinkLocalUnicast(), addr.IsLinkLocalMulticast():
		return "link-local"
	case addr.IsMulticast():
		return "multicast"
	}
	for _, network := range reserved {
		if network.Contains(addr) {
			return "reserved"
		}
	}
	if addr.Is6() {
		for _, w := range wrapped {
			if w.network.Contains(addr) {
				b := addr.As16()
				return forbidden(netip.AddrFrom4([4]byte(b[w.at : w.at+4])))
			}
		}
	}
	return ""
}

// refuseForbidden is the Control of a net.Dialer: it sees the address that the
// connection is about to be made to, whatever name it came from.
func refuseForbidden(_, address string, _ syscall.RawConn) error {
	addrPort, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is no address", ErrRefused, address)
	}
	if what := forbidden(addrPort.Addr()); what != "" {
		return fmt.Errorf("%w: its host is at the %s address %s", ErrRefused, what, addrPort.Addr())
	}
	return nil
}
