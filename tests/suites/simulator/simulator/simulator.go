// Package simulator stands in for the one of that name in go-tpm-tools: each Get starts a TPM of ours.
package simulator

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
)

// Simulator is a running `cvtpm serve`, which is given commands on a TCP connection.
type Simulator struct {
	net.Conn
	process *exec.Cmd
}

var address = regexp.MustCompile(`\btcp (\S+:\d+)`)

// Get starts a TPM that CVTPM and CVTPM_TEST_ENGINE name, with all PCR banks and after TPM2_Startup.
func Get() (*Simulator, error) {
	process := exec.Command(os.Getenv("CVTPM"), "serve", "--engine", os.Getenv("CVTPM_TEST_ENGINE"), "--tcp", "127.0.0.1:0",
		"--ek", "p256", "--startup", "clear", "--pcr-banks", "sha1,sha256,sha384,sha512")
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	ready := address.FindStringSubmatch(line)
	if err != nil || ready == nil {
		process.Process.Kill()
		process.Wait()
		return nil, fmt.Errorf("cvtpm serve is not ready: %q, %v", line, err)
	}
	conn, err := net.Dial("tcp", ready[1])
	if err != nil {
		process.Process.Kill()
		process.Wait()
		return nil, err
	}
	return &Simulator{conn, process}, nil
}

// Close ends it.
func (s *Simulator) Close() error {
	s.Conn.Close()
	s.process.Process.Signal(os.Interrupt)
	return s.process.Wait()
}
