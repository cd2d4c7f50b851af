// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package render renders charts in a process of its own. Templates are programs
// of whoever wrote the chart: they can run for ever and fill any memory, and
// nothing stops a template in the process that it runs in. So the templates of
// a tenant run in a child, the hidden command `ksit render`, which
//
//   - has no environment, no credentials and no file but its pipes;
//   - has its memory and its processor time bounded by the kernel, where that is
//     Linux, and cannot write files;
//   - is killed, with all of its group, when its time is over or the operation
//     ends;
//   - neither resolves names nor fetches the schemas that a schema refers to;
//   - sees of the target what it is told: the capabilities, and what a Lookup
//     answers.
//
// What the child returns is what is installed: nothing is rendered a second
// time, where a template with a clock or a random number could say something
// else. The engine, the order of objects and the hooks are Helm's.
package render
