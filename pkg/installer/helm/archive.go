// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	"ksit.io/ksit/pkg/installer"
)

// loadChart reads a chart from its archive. name is what it must be called.
func loadChart(data []byte, name string) (loaded *chart.Chart, err error) {
	// The loader has panicked on malformed charts before.
	defer func() {
		if r := recover(); r != nil {
			loaded, err = nil, installer.Terminalf(installer.ReasonChartInvalid, "the archive of chart %s cannot be read", name)
		}
	}()
	if err := checkArchive(data); err != nil {
		return nil, installer.Terminalf(installer.ReasonChartInvalid, "the archive of chart %s: %w", name, err)
	}
	loaded, err = loader.LoadArchive(bytes.NewReader(data))
	if err != nil {
		return nil, installer.Terminalf(installer.ReasonChartInvalid, "the archive of chart %s holds no valid chart: %s", name, shorten(err.Error(), maxErrorBytes))
	}
	if err := loaded.Validate(); err != nil {
		return nil, installer.Terminalf(installer.ReasonChartInvalid, "chart %s is not valid: %s", name, shorten(err.Error(), maxErrorBytes))
	}
	if loaded.Name() != name {
		return nil, installer.Terminalf(installer.ReasonChartInvalid, "the archive is of chart %s, not of %s", shorten(loaded.Name(), 128), name)
	}
	switch loaded.Metadata.Type {
	case "", "application":
	default:
		return nil, installer.Terminalf(installer.ReasonChartInvalid, "chart %s is of type %s, which cannot be installed", name, loaded.Metadata.Type)
	}
	if err := action.CheckDependencies(loaded, loaded.Metadata.Dependencies); err != nil {
		return nil, installer.Terminalf(installer.ReasonChartInvalid, "chart %s was packaged without its dependencies: %s", name, shorten(err.Error(), maxErrorBytes))
	}
	return loaded, nil
}
