module cvtpm.test/suites

go 1.24

require (
	github.com/canonical/go-tpm2 v1.15.0
	github.com/google/go-tpm v0.9.8
)

require (
	github.com/canonical/go-efilib v1.6.0 // indirect
	github.com/canonical/go-kbkdf v0.0.0-20250104172618-3b1308f9acf9 // indirect
	github.com/kr/pretty v0.2.1 // indirect
	github.com/kr/text v0.1.0 // indirect
	github.com/snapcore/go-gettext v0.0.0-20191107141714-82bbea49e785 // indirect
	github.com/snapcore/snapd v0.0.0-20201005140838-501d14ac146e // indirect
	golang.org/x/crypto v0.9.0 // indirect
	golang.org/x/net v0.10.0 // indirect
	golang.org/x/sys v0.8.0 // indirect
	gopkg.in/check.v1 v1.0.0-20201130134442-10cb98267c6c // indirect
	gopkg.in/tomb.v2 v2.0.0-20161208151619-d5d1b5820637 // indirect
	gopkg.in/yaml.v2 v2.3.0 // indirect
)

replace github.com/google/go-tpm-tools => ./simulator
