// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifest installs a stream of manifests by server-side apply.
//
// An Apply reads before it writes. It refuses a stream that is wrong in itself,
// objects that another Integration holds, and, by a dry run, objects that the
// target would refuse. Then it notes in an inventory on the target every object
// that is there or will be, applies in stages (namespaces; CRDs, until they are
// established and served; what workloads need; workloads; custom resources;
// webhooks), deletes what is no longer wanted, and notes that it is done. A
// process that is killed at any point leaves an inventory that names all it may
// have made, and the next Apply goes on from it.
//
// What was applied is kept beside the inventory, together with the last revision
// whose objects became ready: a rollback applies that in the same way, except for
// CRDs, which it leaves.
//
// Every object carries labels that name its Integration. What lost them, or has
// those of another Integration, is not ours: it is neither changed nor deleted.
// What was there before KSIT is taken over, marked as adopted, and left when the
// Integration goes. CRDs and namespaces are never deleted.
//
// It is written on the metadata client rather than on a library's resource
// manager: this way it needs one connection and no cache, answers of the target
// hold metadata only, and an object costs two requests, one of them dry.
package manifest
