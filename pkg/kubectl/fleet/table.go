// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"io"
	"strings"

	"k8s.io/cli-runtime/pkg/printers"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

// Table writes one line for each Integration on each target.
func (l *Layout) Table(out io.Writer, entries []Entry) error {
	var rows [][]string
	for _, entry := range entries {
		if len(entry.Installations) == 0 {
			i := &entry.Integration
			rows = append(rows, l.row(i.Namespace, i.Name, "<none>", string(i.Status.Phase), "", "", "0", "0", "", "", i.Status.Message))
		}
		for n := range entry.Installations {
			rows = append(rows, l.installation(&entry.Installations[n]))
		}
	}
	header := l.row("NAMESPACE", "INTEGRATION", "TARGET", "PHASE", "RELEASES", "VERSION", "UNHEALTHY", "DRIFTED", "HELD", "LAST OPERATION", "MESSAGE")
	return Columns(out, header, rows)
}

func (l *Layout) row(namespace string, cells ...string) []string {
	if !l.Namespaces {
		return cells
	}
	return append([]string{namespace}, cells...)
}

func (l *Layout) installation(i *v1alpha1.Installation) []string {
	var releases, versions []string
	for _, r := range i.Status.Releases {
		releases = append(releases, r.Name)
		versions = append(versions, r.Version)
	}
	held, last := "", ""
	if h := i.Status.Hold; h != nil {
		held = fmt.Sprintf("revision %d", h.Revision)
	}
	if o := i.Status.LastOperation; o != nil {
		last = fmt.Sprintf("%s %s %s", o.Type, o.Outcome, l.ago(o.StartedAt.Time))
	}
	return l.row(i.Namespace, i.Spec.Integration, TargetName(i), string(i.PresentPhase()), strings.Join(releases, ","), strings.Join(versions, ","),
		fmt.Sprint(len(i.Status.Unhealthy)), fmt.Sprint(len(i.Status.Drifted)), held, last, i.Status.Message)
}

// Columns writes a header and rows below each other. An empty cell is shown as
// <none>, except in the last column.
func Columns(out io.Writer, header []string, rows [][]string) error {
	w := printers.GetNewTabWriter(out)
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for n, cell := range row {
			cells[n] = strings.ReplaceAll(terminal.Clean(cell), "\t", " ")
			if cells[n] == "" && n < len(row)-1 {
				cells[n] = "<none>"
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}
