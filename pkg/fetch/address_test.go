// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"net/netip"
	"testing"
)

func TestForbidden(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1":                "loopback",
		"127.255.255.254":          "loopback",
		"::1":                      "loopback",
		"::ffff:127.0.0.1":         "loopback",
		"::ffff:7f00:1":            "loopback",
		"::127.0.0.1":              "loopback",
		"64:ff9b::127.0.0.1":       "loopback",
		"64:ff9b::a9fe:a9fe":       "link-local",
		"64:ff9b:1::169.254.1.1":   "link-local",
		"2002:7f00:1::":            "loopback",
		"2002:a9fe:a9fe::1":        "link-local",
		"0.0.0.0":                  "unspecified",
		"0.1.2.3":                  "reserved",
		"::":                       "unspecified",
		"169.254.169.254":          "link-local",
		"::ffff:169.254.169.254":   "link-local",
		"fe80::1":                  "link-local",
		"fe80::1%eth0":             "link-local",
		"224.0.0.251":              "link-local",
		"239.1.2.3":                "multicast",
		"ff05::1":                  "multicast",
		"ff02::1":                  "link-local",
		"255.255.255.255":          "reserved",
		"240.0.0.1":                "reserved",
		"100.100.100.200":          "reserved",
		"168.63.129.16":            "reserved",
		"fd00:ec2::254":            "reserved",
		"fd20:ce::254":             "reserved",
		"fec0::1":                  "reserved",
		"2001:0:4136:e378:8000::1": "reserved",
		"10.0.0.1":                 "",
		"192.168.1.1":              "",
		"172.16.0.1":               "",
		"100.64.0.1":               "",
		"fd00:1::1":                "",
		"185.199.108.153":          "",
		"2606:50c0:8000::153":      "",
		"64:ff9b::1.1.1.1":         "",
		"::ffff:1.1.1.1":           "",
	} {
		if got := forbidden(netip.MustParseAddr(in)); got != want {
			t.Errorf("forbidden(%s) = %q, want %q", in, got, want)
		}
	}
	if forbidden(netip.Addr{}) == "" {
		t.Error("the zero address is allowed")
	}
}
