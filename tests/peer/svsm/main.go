// Svsm takes the steps by which go-tpm-tools verifies what an SVSM attests. Its own program cannot
// be given a lab's roots; the steps are exported calls of its packages, and stand here in its order:
//
//	svsm -nonce HEX -ek FILE -manifest FILE [-roots PEM] [-measurement HEX] [-tpm HOST:PORT] EVIDENCE
//
// EVIDENCE is a report and, behind it, a certificate table. EK and manifest are TPMT_PUBLIC. With
// -tpm, an AK is certified under the EK and its quote verified, over a raw socket of that TPM.
// Prints a line for each part that was accepted. Exit status: 0 accepted, 1 refused, 2 wrong usage
// or a fault.
package main

import (
	"bytes"
	"crypto"
	"crypto/sha512"
	"encoding/hex"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
	"github.com/google/go-tpm-tools/client"
	"github.com/google/go-tpm-tools/server"
	legacy "github.com/google/go-tpm/legacy/tpm2"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

const (
	refused = 1
	fault   = 2
)

func die(code int, err error) {
	fmt.Fprintln(os.Stderr, "svsm:", err)
	os.Exit(code)
}

// must gives the value of something that has nothing to do with the evidence.
func must[T any](v T, err error) T {
	if err != nil {
		die(fault, err)
	}
	return v
}

type question struct {
	roots, measurement, nonce, ek, manifest, tpm string
}

func (q *question) options() *verify.Options {
	o := &verify.Options{DisableCertFetching: true, Now: time.Now()}
	if q.roots != "" {
		root := trust.AMDRootCertsProduct("Milan")
		must(0, root.FromKDSCertBytes(must(os.ReadFile(q.roots))))
		o.TrustedRoots = map[string][]*trust.AMDRootCerts{"Milan": {root}}
	}
	return o
}

func (q *question) report(a *sevsnp.Attestation, ek, manifest []byte) error {
	if err := verify.SnpAttestation(a, q.options()); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if !bytes.Equal(ek, manifest) {
		return fmt.Errorf("the manifest is not the EK's TPMT_PUBLIC")
	}
	nonce := must(hex.DecodeString(q.nonce))
	data, vmpl := sha512.Sum512(append(nonce, manifest...)), 0
	err := validate.SnpAttestation(a, &validate.Options{GuestPolicy: abi.SnpPolicy{SMT: true}, VMPL: &vmpl,
		ReportData: data[:], Measurement: must(hex.DecodeString(q.measurement))})
	if err != nil {
		return fmt.Errorf("binding: %w", err)
	}
	fmt.Println("report, manifest and EK agree")
	return nil
}

// quote takes a quote of an AK that the EK has certified.
func (q *question) quote(ek []byte) error {
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](ek)
	if err != nil {
		return fmt.Errorf("EK: %w", err)
	}
	challenge, secret, err := server.CreateRestrictedHMACBlob(public)
	if err != nil {
		return fmt.Errorf("challenge to the EK: %w", err)
	}
	conn := must(net.DialTimeout("tcp", q.tpm, 10*time.Second))
	defer conn.Close()
	must(0, conn.SetDeadline(time.Now().Add(60*time.Second)))
	certified, err := client.CreateCertifiedAKBlob(transport.FromReadWriter(conn), challenge, tpm2.TPMAlgECC)
	if err != nil {
		return fmt.Errorf("AK: %w", err)
	}
	if err := server.VerifyCertifiedAKBlob(certified, secret); err != nil {
		return fmt.Errorf("certified AK: %w", err)
	}
	fmt.Println("AK certified under the EK")

	ak, err := client.AttestationKeyECC(conn)
	if err != nil {
		return fmt.Errorf("AK: %w", err)
	}
	defer ak.Close()
	fresh := []byte("a nonce of sixteen or more bytes")
	attestation, err := ak.Attest(client.AttestOpts{Nonce: fresh, TCGEventLog: []byte{}})
	if err != nil {
		return fmt.Errorf("quote: %w", err)
	}
	if !bytes.Equal(certified.PubArea, attestation.AkPub) {
		return fmt.Errorf("the AK that quotes is not the certified one")
	}
	area, err := legacy.DecodePublic(attestation.AkPub)
	if err != nil {
		return fmt.Errorf("AK: %w", err)
	}
	key, err := area.Key()
	if err != nil {
		return fmt.Errorf("AK: %w", err)
	}
	options := server.VerifyOpts{Nonce: fresh, TrustedAKs: []crypto.PublicKey{key}}
	if _, err = server.VerifyAttestation(attestation, options); err != nil {
		return fmt.Errorf("quote: %w", err)
	}
	fmt.Println("quote verifies")
	return nil
}

func main() {
	q := question{}
	flag.StringVar(&q.roots, "roots", "", "ASK, then ARK, PEM; without: AMD's, from the package")
	flag.StringVar(&q.measurement, "measurement", "", "the measurement to expect")
	flag.StringVar(&q.nonce, "nonce", "", "the 64 bytes that the guest was given")
	flag.StringVar(&q.ek, "ek", "", "what TPM2_CreatePrimary returned")
	flag.StringVar(&q.manifest, "manifest", "", "the vTPM's manifest, version 0")
	flag.StringVar(&q.tpm, "tpm", "", "a raw socket of the TPM")
	flag.Parse()
	if flag.NArg() != 1 {
		die(fault, fmt.Errorf("one file of evidence, not %d", flag.NArg()))
	}
	ek, manifest := must(os.ReadFile(q.ek)), must(os.ReadFile(q.manifest))
	a, err := abi.ReportCertsToProto(must(os.ReadFile(flag.Arg(0))))
	if err == nil {
		err = q.report(a, ek, manifest)
	}
	if err == nil && q.tpm != "" {
		err = q.quote(ek)
	}
	if err != nil {
		die(refused, err)
	}
}
