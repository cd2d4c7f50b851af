// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package imports holds tests of the repository itself: which package may
// import which, and what every file must and must not have.
package imports
