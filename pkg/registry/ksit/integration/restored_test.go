// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"ksit.io/ksit/pkg/apis/ksit"
)

// TestRestoredChart creates Integrations with a status, as a backup has it: what
// the range stood for is kept where it is a version of the spec's range, and
// nothing else of the status is.
func TestRestoredChart(t *testing.T) {
	resolved := ksit.ResolvedChart{Repository: "https://charts.example.com", Chart: "app", Range: "1.x", Version: "1.2.3"}
	for name, c := range map[string]struct {
		mutate func(*ksit.ResolvedChart)
		kept   bool
	}{
		"as it was":          {func(*ksit.ResolvedChart) {}, true},
		"with what is newer": {func(r *ksit.ResolvedChart) { r.Newer, r.Newest = "1.3.0", "2.0.0" }, true},
		"another repository": {func(r *ksit.ResolvedChart) { r.Repository = "https://other.example.com" }, false},
		"another chart":      {func(r *ksit.ResolvedChart) { r.Chart = "other" }, false},
		"another range":      {func(r *ksit.ResolvedChart) { r.Range = "2.x" }, false},
		"out of the range":   {func(r *ksit.ResolvedChart) { r.Version = "2.0.0" }, false},
		"no version":         {func(r *ksit.ResolvedChart) { r.Version = "1.x" }, false},
		"nothing":            {func(r *ksit.ResolvedChart) { *r = ksit.ResolvedChart{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			given := given(func(i *ksit.Integration) {
				i.Spec.Type = ksit.IntegrationTypeGeneric
				i.Spec.AutoInstall.HelmConfig = &ksit.HelmConfig{Repository: "https://charts.example.com", Chart: "app", Version: "1.x"}
				i.Status.Phase, i.Status.Healthy = ksit.PhaseRunning, 3
				i.Status.ResolvedChart = resolved.DeepCopy()
				c.mutate(i.Status.ResolvedChart)
			})
			newStrategy(t).PrepareForCreate(testContext(), given)
			st := given.Status
			if st.Phase != "" || st.Healthy != 0 {
				t.Errorf("the status is kept: %+v", st)
			}
			if kept := st.ResolvedChart != nil; kept != c.kept || kept && *st.ResolvedChart != resolved {
				t.Errorf("resolved chart is %+v", st.ResolvedChart)
			}
		})
	}
}
