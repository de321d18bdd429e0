package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/config"
	miroirhttp "github.com/miroir-search/miroir/http"
)

// certificate makes a certificate for loopback that signs itself, in two files.
func certificate(t *testing.T, name string) (certPath, keyPath string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certPath, keyPath = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certPath: {Type: "CERTIFICATE", Bytes: der}, keyPath: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certPath, keyPath
}

func TestTheAPISpeaksTLS(t *testing.T) {
	certPath, keyPath := certificate(t, "miroir")
	clientCert, clientKey := certificate(t, "client")
	roots := x509.NewCertPool()
	text, err := os.ReadFile(certPath)
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	client, err := tls.LoadX509KeyPair(clientCert, clientKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		tls      config.TLS
		shown    []tls.Certificate
		refused  bool
		protocol string
	}{
		"to everybody":                           {config.TLS{CertPath: certPath, KeyPath: keyPath}, nil, false, "HTTP/2.0"},
		"to clients that may have a certificate": {config.TLS{CertPath: certPath, KeyPath: keyPath, AuthPath: clientCert}, nil, false, "HTTP/2.0"},
		"to clients with a certificate":          {config.TLS{CertPath: certPath, KeyPath: keyPath, AuthPath: clientCert, RequireAuth: true}, []tls.Certificate{client}, false, "HTTP/2.0"},
		"not to clients without one":             {config.TLS{CertPath: certPath, KeyPath: keyPath, AuthPath: clientCert, RequireAuth: true}, nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := loadTLS(tc.tls)
			if err != nil {
				t.Fatal(err)
			}
			s := miroirhttp.New(miroirhttp.Options{Addr: "127.0.0.1:0", TLS: c})
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: tc.shown, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			res, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Get("https://" + s.Addr() + "/health")
			if tc.refused {
				if err == nil {
					t.Errorf("a client without a certificate got %d", res.StatusCode)
					_ = res.Body.Close()
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || res.Proto != tc.protocol || string(body) != `{"status":"available"}` {
				t.Errorf("%s %d %s %v", res.Proto, res.StatusCode, body, err)
			}
			plain, err := net.Dial("tcp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer plain.Close()
			if _, err := io.WriteString(plain, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(plain).ReadString('\n'); err != nil || !strings.Contains(line, " 400 ") {
				t.Errorf("a plain request got %q, %v", line, err)
			}
		})
	}
}

func TestCertificatesThatCannotBeUsed(t *testing.T) {
	certPath, keyPath := certificate(t, "miroir")
	_, otherKey := certificate(t, "other")
	for name, tc := range map[string]struct {
		tls  config.TLS
		want string
	}{
		"a certificate that is not there":  {config.TLS{CertPath: certPath + "x", KeyPath: keyPath}, "load the TLS certificate: open "},
		"the key of another":               {config.TLS{CertPath: certPath, KeyPath: otherKey}, "load the TLS certificate: tls: private key does not match"},
		"authorities that are not there":   {config.TLS{CertPath: certPath, KeyPath: keyPath, AuthPath: certPath + "x"}, "load the authorities of client certificates: open "},
		"authorities without certificates": {config.TLS{CertPath: certPath, KeyPath: keyPath, AuthPath: keyPath}, "holds no certificate"},
	} {
		if c, err := loadTLS(tc.tls); c != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c, err := loadTLS(config.TLS{}); c != nil || err != nil {
		t.Errorf("without a certificate: %v, %v", c, err)
	}
}
