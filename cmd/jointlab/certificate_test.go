package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certify writes a certificate for 127.0.0.1 with a serial number, and its key.
func certify(t *testing.T, dir string, serial int64, at time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		key: {Type: "PRIVATE KEY", Bytes: pkcs}, cert: {Type: "CERTIFICATE", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(cert, at, at); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestCertificateRenewal(t *testing.T) {
	dir, at := t.TempDir(), time.Now().Add(-time.Hour)
	cert, key := certify(t, dir, 1, at)
	server := startServer(t, t.TempDir(), "--tls-cert", cert, "--tls-key", key)
	serial := func() int64 {
		t.Helper()
		c := &http.Client{
			Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
			Timeout:   hang,
		}
		r, err := c.Get(server.url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK || r.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s %v", r.Status, r.Header)
		}
		return r.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("certificate %d", got)
	}
	certify(t, dir, 2, at.Add(time.Minute))
	if got := serial(); got != 2 {
		t.Errorf("renewed, but certificate %d is shown", got)
	}
	if err := os.WriteFile(cert, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("a broken file took the good certificate's place: %d", got)
	}
	server.stop(t)
	broken := run(t, "serve", "--data", t.TempDir(), "--tls-cert", cert, "--tls-key", key)
	broken.Stderr = nil
	if out, err := broken.CombinedOutput(); err == nil {
		t.Errorf("served with half a certificate: %s", out)
	}
}
