#!/usr/bin/env bash
# Copyright The KSIT Authors.
# SPDX-License-Identifier: Apache-2.0

# Plays the story of docs/kubectl-ksit.md on a bed, and puts what was typed and
# seen into the document. Needs bin/ksit and bin/kubectl-ksit.

set -o errexit -o nounset -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

recording=$(mktemp)
trap 'rm -f "$recording" "$recording.md"' EXIT
(
  cd test/e2e
  KSIT=${KSIT:-../../bin/ksit} KUBECTL_KSIT=${KUBECTL_KSIT:-../../bin/kubectl-ksit} KSIT_RECORD=$recording \
    go test -count 1 -timeout 30m -run '^TestPlugin$' .
)
[[ -s $recording ]]

{
  sed '/<!-- recording: begin -->/q' docs/kubectl-ksit.md
  printf '\n```console\n'
  sed 's/ *$//' "$recording"
  printf '```\n\n'
  sed -n '/<!-- recording: end -->/,$p' docs/kubectl-ksit.md
} > "$recording.md"
cat "$recording.md" > docs/kubectl-ksit.md
