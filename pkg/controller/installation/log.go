// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// Log takes down, line by line, what is done on an Installation, for its users.
// It does not wait for anything.
type Log interface {
	Say(installation types.NamespacedName, line string)
}

func (c *Controller) say(i *v1alpha1.Installation, format string, args ...any) {
	c.Log.Say(types.NamespacedName{Namespace: i.Namespace, Name: i.Name}, fmt.Sprintf(format, args...))
}

// request is what the spec asks for, with the installer's own words in the log.
func (c *Controller) request(i *v1alpha1.Installation, target *v1alpha1.IntegrationTarget) installer.Request {
	req := request(i, target)
	key := types.NamespacedName{Namespace: i.Namespace, Name: i.Name}
	req.Progress = func(line string) { c.Log.Say(key, line) }
	return req
}

// what names what is installed, for the log.
func what(i *v1alpha1.Installation) string {
	install := i.Spec.AutoInstall
	switch {
	case install == nil:
		return "nothing"
	case methodOf(i) == v1alpha1.InstallMethodHelm && install.HelmConfig != nil:
		return fmt.Sprintf("chart %s %s", install.HelmConfig.Chart, install.HelmConfig.Version)
	default:
		return "manifests"
	}
}
