// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"strings"
	"testing"
)

// TestRefused gives wrong values, each of which is refused in words that say what is
// wrong with it.
func TestRefused(t *testing.T) {
	etcd := []string{"--set", "etcd.servers={https://etcd-0.example.com:2379}"}
	tests := map[string]struct {
		set  string
		args []string
		want []string
	}{
		"a mode":           {set: "mode=prod", want: []string{"at '/mode': value must be one of '', 'server', 'ha'"}},
		"no replica":       {set: "replicas=0", want: []string{"at '/replicas': minimum: got 0, want 1"}},
		"half a replica":   {set: "replicas=two", want: []string{"at '/replicas': got string, want integer"}},
		"a key":            {set: "replicaCount=3", want: []string{"additional properties 'replicaCount' not allowed"}},
		"a key below":      {set: "image.name=ksit", want: []string{"at '/image'", "'name' not allowed"}},
		"a registry":       {set: "image.registry=https://registry.example.com", want: []string{"at '/image/registry'"}},
		"a repository":     {set: "image.repository=KSIT", want: []string{"at '/image/repository'"}},
		"a tag":            {set: "image.tag=a/b", want: []string{"at '/image/tag'"}},
		"a digest":         {set: "image.digest=abc", want: []string{"at '/image/digest'", "sha256:"}},
		"a pull policy":    {set: "image.pullPolicy=Sometimes", want: []string{"'Always', 'IfNotPresent', 'Never'"}},
		"a pull secret":    {set: "imagePullSecrets={a}", want: []string{"at '/imagePullSecrets/0': got string, want object"}},
		"a server":         {set: "etcd.servers={etcd:2379}", want: []string{"at '/etcd/servers/0': 'etcd:2379' does not match", "https?://"}},
		"a size":           {set: "persistence.size=8gb", want: []string{"at '/persistence/size': '8gb' does not match"}},
		"a fate":           {set: "persistence.whenDeleted=Keep", want: []string{"'Retain', 'Delete'"}},
		"a source":         {set: "certificates.source=openssl", want: []string{"'ksit', 'cert-manager', 'secret'"}},
		"a validity":       {set: "certificates.validity=90d", want: []string{"at '/certificates/validity': '90d' does not match"}},
		"a number of time": {set: "certificates.overlap=10", want: []string{"at '/certificates/overlap': got number, want string"}},
		"no certificate":   {set: "extraCA=/etc/ca.crt", want: []string{"at '/extraCA'", "BEGIN CERTIFICATE"}},
		"a key as one":     {set: "extraCA=-----BEGIN PRIVATE KEY-----", want: []string{"at '/extraCA'"}},
		"a format":         {set: "logging.format=xml", want: []string{"'text', 'json'"}},
		"a verbosity":      {set: "logging.verbosity=11", want: []string{"at '/logging/verbosity': maximum"}},
		"a URL":            {set: "tracing.endpoint=http://collector:4317", want: []string{"at '/tracing/endpoint'"}},
		"a rate":           {set: "tracing.samplingRatePerMillion=2000000", want: []string{"maximum"}},
		"an audit level":   {set: "audit.policy.rules[0].level=All", want: []string{"'None', 'Metadata', 'Request', 'RequestResponse'"}},
		"a switch":         {set: "networkPolicy.enabled=on", want: []string{"at '/networkPolicy/enabled': got string, want boolean"}},
		"a port":           {set: "networkPolicy.egressPorts={70000}", want: []string{"at '/networkPolicy/egressPorts/0': maximum"}},
		"a rewrite":        {set: "rewrites.sources[0].from=https://a", want: []string{"at '/rewrites/sources/0': missing property 'to'"}},
		"an allowed one":   {set: "allowedSources={ftp://a}", want: []string{"at '/allowedSources/0'"}},
		"no flag":          {set: "extraArgs={-v}", want: []string{"at '/extraArgs/0'"}},
		"a component's":    {set: "server.extraArgs={workers=1}", want: []string{"at '/server/extraArgs/0'"}},
		"a resource":       {set: "apiserver.resources.limits.memory=lots", want: []string{"at '/apiserver/resources/limits/memory'"}},
		"a delay":          {set: "apiserver.shutdownDelay=1m", want: []string{"at '/apiserver/shutdownDelay'"}},
		"a chance":         {set: "apiserver.goawayChance=0.5", want: []string{"at '/apiserver/goawayChance': '0.5' does not match"}},
		"a variable":       {set: "extraEnv[0].value=x", want: []string{"missing property 'name'"}},

		"replicas without etcd": {
			set:  "replicas=3",
			want: []string{"replicas is 3, and etcd.servers is empty", "ksit etcd migrate", "docs/etcd.md", "etcd.secretName="},
		},
		"ha without etcd": {set: "mode=ha", want: []string{"mode is ha, and etcd.servers is empty", "ksit etcd migrate"}},
		"replicas of one": {set: "mode=server,replicas=2", want: []string{"mode is server and replicas is 2", "ksit etcd migrate"}},
		"two etcds": {
			set: "mode=server,etcd.secretName=client", args: etcd,
			want: []string{"mode is server and etcd.servers is set", "set it to ha"},
		},
		"etcd without a client": {set: "replicas=3", args: etcd, want: []string{"etcd.secretName is empty", "tls.key"}},
		"no Secret":             {set: "certificates.source=secret", want: []string{"certificates.secretName must name a Secret", "caBundle"}},
		"a stray Secret":        {set: "certificates.secretName=mine", want: []string{"belong to certificates.source=secret; it is ksit"}},
		"no issuer":             {set: "certificates.source=cert-manager", want: []string{"certificates.issuerRef must say"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := template(t, append(test.args, "--set", test.set)...)
			if err == nil {
				t.Fatalf("%s was taken", test.set)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("want %q in:\n%s", want, out)
				}
			}
		})
	}
}
