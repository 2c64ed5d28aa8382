// Package suites keeps the modules in go.mod whose tests test_suites.py runs.
package suites

import (
	_ "github.com/canonical/go-tpm2"
	_ "github.com/google/go-tpm/tpm2"
)
