// Peer judges evidence with packages of other people: go-sev-guest's verifier at a given time and
// under given roots, which its own program cannot do, and veraison's decoder of message wrappers.
//
//	peer snp  [-roots PEM] [-at TIME] [-product LINE] [-measurement HEX] [-vmpl N] EVIDENCE
//	peer flip [the same] EVIDENCE     flips each bit of the report, and prints those that are not refused
//	peer cmw  CERTIFICATE             prints what is in the extension id-pe-cmw (DER)
//	peer bundle FILE                  the same of a file of application/cmw+cbor
//
// EVIDENCE is a report and, behind it, a certificate table (GHCB specification, 4.1.8.1).
// Exit status: 0 accepted, 1 refused, 2 wrong usage or a fault.
package main

import (
	"crypto/x509"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
	"github.com/veraison/cmw"
)

const (
	refused = 1
	fault   = 2
)

func die(code int, err error) {
	fmt.Fprintln(os.Stderr, "peer:", err)
	os.Exit(code)
}

// must gives the value of something that has nothing to do with the evidence.
func must[T any](v T, err error) T {
	if err != nil {
		die(fault, err)
	}
	return v
}

// ---- reports ----

type judgement struct {
	roots, at, product, measurement string
	vmpl                            int
}

func (j *judgement) flags(verb string, args []string) string {
	set := flag.NewFlagSet(verb, flag.ExitOnError)
	set.StringVar(&j.roots, "roots", "", "ASK or ASVK, then ARK, PEM; without: AMD's, from the package")
	set.StringVar(&j.at, "at", "", "when, as in 2026-01-31T12:00:00Z; without: now")
	set.StringVar(&j.product, "product", "Milan", "product line that -roots is for")
	set.StringVar(&j.measurement, "measurement", "", "the measurement to expect")
	set.IntVar(&j.vmpl, "vmpl", 0, "the privilege level to expect")
	_ = set.Parse(args) // it exits with 2
	return theFile(set.Args())
}

func (j *judgement) verifyOptions() *verify.Options {
	o := &verify.Options{DisableCertFetching: true, Now: time.Now()}
	if j.at != "" {
		o.Now = must(time.Parse(time.RFC3339, j.at))
	}
	if j.roots != "" {
		root := trust.AMDRootCertsProduct(j.product)
		if err := root.FromKDSCertBytes(must(os.ReadFile(j.roots))); err != nil {
			die(fault, err)
		}
		o.TrustedRoots = map[string][]*trust.AMDRootCerts{j.product: {root}}
	}
	return o
}

// judge takes whatever guest policy the report has, as long as its form is right, and firmware
// that is not committed: genuine machines run such firmware, and `check` judges that, too.
func (j *judgement) judge(evidence []byte, o *verify.Options, measurement []byte) error {
	a, err := abi.ReportCertsToProto(evidence)
	if err != nil {
		return err
	}
	if err := verify.SnpAttestation(a, o); err != nil {
		return err
	}
	policy, err := abi.ParseSnpPolicy(a.Report.Policy)
	if err != nil {
		return err
	}
	return validate.SnpAttestation(a, &validate.Options{
		GuestPolicy: policy, Measurement: measurement, VMPL: &j.vmpl, PermitProvisionalFirmware: true})
}

func snp(args []string) error {
	var j judgement
	evidence := must(os.ReadFile(j.flags("snp", args)))
	return j.judge(evidence, j.verifyOptions(), must(hex.DecodeString(j.measurement)))
}

func flip(args []string) error {
	var j judgement
	evidence := must(os.ReadFile(j.flags("flip", args)))
	o, m := j.verifyOptions(), must(hex.DecodeString(j.measurement))
	if err := j.judge(evidence, o, m); err != nil {
		return err
	}
	for i := 0; i < abi.ReportSize*8; i++ {
		evidence[i/8] ^= 1 << (i % 8)
		if j.judge(evidence, o, m) == nil {
			fmt.Printf("0x%03x bit %d\n", i/8, i%8)
		}
		evidence[i/8] ^= 1 << (i % 8)
	}
	return nil
}

// ---- message wrappers ----

func printRecord(label string, r *cmw.CMW) error {
	media, err := r.GetMonadType()
	if err != nil {
		return err
	}
	value, err := r.GetMonadValue()
	if err != nil {
		return err
	}
	indicator, err := r.GetMonadIndicator()
	if err != nil {
		return err
	}
	fmt.Printf("%s %s %d %x\n", label, media, uint(indicator), value)
	return nil
}

// printWrapper prints a line "collection TYPE" or "record", and a line "LABEL TYPE INDICATOR VALUE"
// for each record, in the order of the labels.
func printWrapper(w *cmw.CMW) error {
	if w.GetKind() == cmw.KindMonad {
		fmt.Println("record")
		return printRecord("-", w)
	}
	kind, err := w.GetCollectionType()
	if err != nil {
		return err
	}
	fmt.Println("collection", kind)
	meta, err := w.GetCollectionMeta()
	if err != nil {
		return err
	}
	sort.Slice(meta, func(a, b int) bool { return fmt.Sprint(meta[a].Key) < fmt.Sprint(meta[b].Key) })
	for _, m := range meta {
		item, err := w.GetCollectionItem(m.Key)
		if err != nil {
			return err
		}
		if err := printRecord(fmt.Sprint(m.Key), item); err != nil {
			return err
		}
	}
	return nil
}

func certificate(args []string) error {
	cert, err := x509.ParseCertificate(must(os.ReadFile(theFile(args))))
	if err != nil {
		return err
	}
	for _, extension := range cert.Extensions {
		if !extension.Id.Equal(cmw.OidExtCmw) {
			continue
		}
		w, err := cmw.DecodeX509Extension(extension)
		if err != nil {
			return err
		}
		return printWrapper(w)
	}
	return fmt.Errorf("no extension id-pe-cmw")
}

func bundle(args []string) error {
	var w cmw.CMW
	if err := w.Deserialize(must(os.ReadFile(theFile(args)))); err != nil {
		return err
	}
	return printWrapper(&w)
}

// ---- the program ----

func theFile(args []string) string {
	if len(args) != 1 {
		die(fault, fmt.Errorf("one file, not %d", len(args)))
	}
	return args[0]
}

func main() {
	verbs := map[string]func([]string) error{"snp": snp, "flip": flip, "cmw": certificate, "bundle": bundle}
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		die(fault, fmt.Errorf("say snp, flip, cmw or bundle"))
	}
	if err := verbs[os.Args[1]](os.Args[2:]); err != nil {
		die(refused, err)
	}
}
