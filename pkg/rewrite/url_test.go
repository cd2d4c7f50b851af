// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rewrite

import (
	"net/url"
	"testing"
)

func TestURL(t *testing.T) {
	table, err := New([]Rule{
		{From: "https://a/charts", To: "http://127.0.0.1:8080/mirror/"},
		{From: "https://a/charts/special/", To: "https://special.internal"},
		{From: "https://Mixed.Example:443", To: "http://m"},
		{From: "http://plain.example:80/x", To: "http://m/plain"},
		{From: "oci://registry-1.docker.io/bitnamicharts", To: "oci://harbor.internal:5000/bitnami"},
		{From: "https://[2001:DB8::1]:8443/x", To: "https://six"},
		{From: "https://grow", To: "https://grow/mirror"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		in, want string
		same     bool
	}{
		"exact":                       {in: "https://a/charts", want: "http://127.0.0.1:8080/mirror"},
		"slash at the end is kept":    {in: "https://a/charts/", want: "http://127.0.0.1:8080/mirror/"},
		"below":                       {in: "https://a/charts/x/index.yaml", want: "http://127.0.0.1:8080/mirror/x/index.yaml"},
		"not at a segment boundary":   {in: "https://a/charts-evil", same: true},
		"not a segment, with a dot":   {in: "https://a/charts.evil/x", same: true},
		"longest wins":                {in: "https://a/charts/special/x.tgz", want: "https://special.internal/x.tgz"},
		"longest, at its boundary":    {in: "https://a/charts/specials", want: "http://127.0.0.1:8080/mirror/specials"},
		"query stays":                 {in: "https://a/charts/x?a=b&c=%2F", want: "http://127.0.0.1:8080/mirror/x?a=b&c=%2F"},
		"escapes stay":                {in: "https://a/charts/x%20y+z", want: "http://127.0.0.1:8080/mirror/x%20y+z"},
		"other scheme":                {in: "http://a/charts/x", same: true},
		"case of scheme and host":     {in: "HTTPS://mixed.EXAMPLE/X", want: "http://m/X"},
		"case of path matters":        {in: "https://a/Charts/x", same: true},
		"default port":                {in: "https://a:443/charts", want: "http://127.0.0.1:8080/mirror"},
		"default port of http":        {in: "http://plain.example/x/y", want: "http://m/plain/y"},
		"other port":                  {in: "https://a:8443/charts", same: true},
		"host that ends alike":        {in: "https://evil.a/charts", same: true},
		"host that begins alike":      {in: "https://a.evil/charts", same: true},
		"oci":                         {in: "oci://registry-1.docker.io/bitnamicharts/redis", want: "oci://harbor.internal:5000/bitnami/redis"},
		"oci is not https":            {in: "https://registry-1.docker.io/bitnamicharts/redis", same: true},
		"IPv6":                        {in: "https://[2001:db8::1]:8443/x/y", want: "https://six/y"},
		"dot segment":                 {in: "https://a/charts/../secret", same: true},
		"dot segment at the end":      {in: "https://a/charts/..", same: true},
		"escaped dot segment":         {in: "https://a/charts/%2e%2E/secret", same: true},
		"escaped slash":               {in: "https://a/charts/..%2f..%2fsecret", same: true},
		"backslash":                   {in: `https://a/charts/..%5csecret`, same: true},
		"empty segment":               {in: "https://a/charts//x", same: true},
		"credentials":                 {in: "https://user:pass@a/charts", same: true},
		"user that looks like a host": {in: "https://a@evil/charts", same: true},
		"not a URL":                   {in: "://", same: true},
		"no scheme":                   {in: "a/charts", same: true},
		"empty":                       {in: "", same: true},
		"below a to":                  {in: "http://127.0.0.1:8080/mirror/x", same: true},
		"to below its own from":       {in: "https://grow/x", want: "https://grow/mirror/x"},
		"to below its own from, done": {in: "https://grow/mirror/x", same: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, changed := table.URL(test.in)
			want := test.want
			if test.same {
				want = test.in
			}
			if got != want || changed == test.same {
				t.Fatalf("URL(%q) = %q, %v; want %q, %v", test.in, got, changed, want, !test.same)
			}
			if again, changed := table.URL(got); changed || again != got {
				t.Errorf("rewritten twice: %q, then %q", got, again)
			}
			if changed {
				u, err := url.Parse(got)
				if err != nil {
					t.Fatal(err)
				}
				if !table.Trusted(u) {
					t.Errorf("%q is not trusted", got)
				}
			}
		})
	}
}

func TestTrusted(t *testing.T) {
	table, err := New([]Rule{{From: "https://a/charts", To: "http://127.0.0.1:8080/mirror"}})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]bool{
		"http://127.0.0.1:8080/mirror":               true,
		"http://127.0.0.1:8080/mirror/x":             true,
		"http://127.0.0.1:8080/mirror/../admin":      false,
		"http://127.0.0.1:8080/mirror/%2e%2e/admin":  false,
		"http://127.0.0.1:8080/mirrors":              false,
		"http://127.0.0.1:8080/":                     false,
		"http://127.0.0.1/mirror":                    false,
		"https://127.0.0.1:8080/mirror":              false,
		"http://user@127.0.0.1:8080/mirror":          false,
		"https://a/charts":                           false,
		"http://127.0.0.1:8080/mirror/x/..%2f..%2fy": false,
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Trusted(u); got != want {
			t.Errorf("Trusted(%s) = %v, want %v", in, got, want)
		}
	}
	if table.Trusted(nil) || (*Table)(nil).Trusted(&url.URL{Scheme: "http", Host: "a"}) {
		t.Error("nothing is trusted without a table or a URL")
	}
}

func FuzzURL(f *testing.F) {
	table, err := New([]Rule{
		{From: "https://a/charts", To: "http://127.0.0.1:8080/mirror"},
		{From: "oci://r/x", To: "oci://s/y"},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"https://a/charts/x", "https://a/charts/../x", "oci://r/x/y?z", "https://A:443/charts/%2e%2e/", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, changed := table.URL(in)
		if !changed {
			if got != in {
				t.Fatalf("%q became %q and counts as unchanged", in, got)
			}
			return
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatalf("%q became %q, which is no URL: %v", in, got, err)
		}
		if !table.Trusted(u) {
			t.Fatalf("%q became %q, which is not under a to", in, got)
		}
		// Resolving the path as a server may must not leave the to.
		if !table.Trusted(u.JoinPath(".")) {
			t.Fatalf("%q became %q, which leaves the to when resolved", in, got)
		}
		if again, changed := table.URL(got); changed {
			t.Fatalf("%q became %q, then %q", in, got, again)
		}
	})
}
