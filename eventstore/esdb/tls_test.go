package esdb

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/esdb/esdbtest"
	"github.com/jointlab/jointlab/eventstore/storetest"
)

// certificate is signed by itself, good for a server at 127.0.0.1 and for a
// user, and kept in two files.
func certificate(t *testing.T) (pair tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jointlab"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := errors.Join(os.WriteFile(certFile, certPEM, 0o600), os.WriteFile(keyFile, keyPEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return pair, certFile, keyFile
}

// users admits clients by password or certificate.
func users(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx := stream.Context()
	said, _ := metadata.FromIncomingContext(ctx)
	from, _ := peer.FromContext(ctx)
	shown, _ := from.AuthInfo.(credentials.TLSInfo)
	const changeit = "Basic YWRtaW46Y2hhbmdlaXQ=" // admin:changeit
	if v := said.Get("authorization"); len(shown.State.PeerCertificates) == 0 && (len(v) == 0 || v[0] != changeit) {
		return status.Error(codes.Unauthenticated, "Not Authenticated")
	}
	return handle(server, stream)
}

func TestTLSCredentials(t *testing.T) {
	pair, certFile, keyFile := certificate(t)
	_, strangerFile, _ := certificate(t)
	server := esdbtest.Start(t, grpc.StreamInterceptor(users),
		grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert})))
	connect := func(user, settings string) error {
		s, err := Open(Config{URL: "esdb://" + user + server.Address() + "?" + settings, Patience: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		stream, events := storetest.NewStream(), storetest.Events(1)
		if _, err := s.Append(context.Background(), stream, eventstore.Version{}, events); err != nil {
			return err
		}
		holds(t, s, stream, events)
		return nil
	}
	ca := "tlsCaFile=" + url.QueryEscape(certFile)
	mine := "&userCertFile=" + url.QueryEscape(certFile) + "&userKeyFile=" + url.QueryEscape(keyFile)
	for what, err := range map[string]error{
		"user":        connect("admin:changeit@", ca),
		"certificate": connect("", ca+mine),
		"unverified":  connect("admin:changeit@", "tlsVerifyCert=false"),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"nobody": connect("", ca), "wrong password": connect("admin:admin@", ca),
	} {
		if !errors.Is(err, eventstore.ErrUnavailable) || !strings.Contains(err.Error(), "check the user") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"a server nobody vouches for":     connect("admin:changeit@", "tlsCaFile="+url.QueryEscape(strangerFile)),
		"without TLS to a server with it": connect("", "tls=false"),
	} {
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
