// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit"
)

func TestValidateTenancy(t *testing.T) {
	many := func(n int) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf("team-%d", i)
		}
		return all
	}
	user := func(name string, groups ...string) ksit.TargetTenancy {
		return ksit.TargetTenancy{Impersonate: []ksit.TenantIdentity{{Namespace: "team-b", User: name, Groups: groups}}}
	}
	account := func(name string) ksit.TargetTenancy {
		return ksit.TargetTenancy{Impersonate: []ksit.TenantIdentity{{Namespace: "team-b", ServiceAccount: name}}}
	}
	entries := func(entries ...ksit.TenantIdentity) ksit.TargetTenancy {
		return ksit.TargetTenancy{Impersonate: entries}
	}
	const at = "spec.tenancy.impersonate[0]"
	for name, test := range map[string]struct {
		tenancy ksit.TargetTenancy
		want    []string
	}{
		"nothing":    {},
		"namespaces": {tenancy: ksit.TargetTenancy{AllowedNamespaces: []string{"team-b", "*"}}},
		"all kinds": {tenancy: entries(
			ksit.TenantIdentity{Namespace: "team-b", User: "ksit:{namespace}", Groups: []string{"tenants", "tenants:{namespace}"}},
			ksit.TenantIdentity{Namespace: "*", ServiceAccount: "{namespace}/deployer"})},
		"256 namespaces": {tenancy: ksit.TargetTenancy{AllowedNamespaces: many(256)}},
		"257 namespaces": {tenancy: ksit.TargetTenancy{AllowedNamespaces: many(257)}, want: []string{"spec.tenancy.allowedNamespaces: must have at most 256"}},
		"no namespaces": {tenancy: ksit.TargetTenancy{AllowedNamespaces: []string{"", "Team", "team-b", "team-b"}}, want: []string{
			"spec.tenancy.allowedNamespaces[0]: Required", "spec.tenancy.allowedNamespaces[1]: lower case", "spec.tenancy.allowedNamespaces[3]: Duplicate"}},
		"257 identities": {tenancy: entries(make([]ksit.TenantIdentity, 257)...), want: []string{"spec.tenancy.impersonate: must have at most 256"}},
		"no identity":    {tenancy: entries(ksit.TenantIdentity{Namespace: "team-b"}), want: []string{at + ": Required value: give serviceAccount or user"}},
		"a namespace twice": {tenancy: entries(ksit.TenantIdentity{Namespace: "*", User: "a"}, ksit.TenantIdentity{Namespace: "*", User: "b"}),
			want: []string{"spec.tenancy.impersonate[1].namespace: Duplicate"}},
		"both": {tenancy: entries(ksit.TenantIdentity{Namespace: "team-b", User: "a", ServiceAccount: "b/c"}), want: []string{at + ".user: must not be given beside"}},
		"groups of an account": {tenancy: entries(ksit.TenantIdentity{Namespace: "team-b", ServiceAccount: "b/c", Groups: []string{"a"}}),
			want: []string{at + ".groups: Forbidden"}},
		"an account without namespace": {tenancy: account("deployer"), want: []string{at + ".serviceAccount: must be namespace/name"}},
		"an account that is none":      {tenancy: account("A/B_C"), want: []string{at + ".serviceAccount: names no namespace", at + ".serviceAccount: names no service account"}},
		"another place-holder":         {tenancy: account("{name}/deployer"), want: []string{at + ".serviceAccount: names no namespace"}},
		"an account with two slashes":  {tenancy: account("a/b/c"), want: []string{at + ".serviceAccount: names no service account"}},
		"a user with a place-holder":   {tenancy: user("{name}"), want: []string{at + ".user: the only place-holder is {namespace}"}},
		"half a place-holder":          {tenancy: user("a{namespace"), want: []string{at + ".user: the only place-holder"}},
		"a user of the system":         {tenancy: user("system:admin"), want: []string{at + ".user: Forbidden"}},
		"a group of the system":        {tenancy: user("a", "system:masters"), want: []string{at + ".groups[0]: Forbidden"}},
		"one that a namespace makes":   {tenancy: user("{namespace}:admin", "sys{namespace}:masters"), want: []string{at + ".user: Forbidden", at + ".groups[0]: Forbidden"}},
		"one that no namespace makes":  {tenancy: user("team-{namespace}:admin", "{namespace}", "systems:a", "system")},
		"a line break":                 {tenancy: user("a\r\nImpersonate-Group: system:masters"), want: []string{at + ".user: must hold neither control characters"}},
		"a group twice":                {tenancy: user("a", "b", "b"), want: []string{at + ".groups[1]: Duplicate"}},
		"17 groups":                    {tenancy: user("a", many(17)...), want: []string{at + ".groups: must have at most 16"}},
		"a long user":                  {tenancy: user(strings.Repeat("a", 257)), want: []string{at + ".user: may not be more than 256"}},
		"an empty group":               {tenancy: user("a", ""), want: []string{at + ".groups[0]: Required"}},
	} {
		t.Run(name, func(t *testing.T) {
			target := validTarget()
			target.Spec.Tenancy = &test.tenancy
			expect(t, ValidateIntegrationTarget(target), test.want...)
		})
	}
}
