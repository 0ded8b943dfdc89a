package containers

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"time"
)

// An identity is the CA of one stack, and the certificate of its servers. All texts are PEM. It
// lives as long as the containers: only its CA is on disk, for Postgres clients, which want a file.
type identity struct{ ca, certificate, key string }

// newIdentity makes an identity up. The key of the CA is forgotten.
func newIdentity() (id identity, err error) {
	caKey, caErr := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, keyErr := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	encoded, encodeErr := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(caErr, keyErr, encodeErr); err != nil {
		return id, err
	}
	from, to := time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "blotter containers"},
		NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: from, NotAfter: to, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, caErr := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	serverDER, serverErr := x509.CreateCertificate(rand.Reader, server, ca, &key.PublicKey, caKey)
	return identity{
		ca:          armour("CERTIFICATE", caDER),
		certificate: armour("CERTIFICATE", serverDER),
		key:         armour("PRIVATE KEY", encoded),
	}, errors.Join(caErr, serverErr)
}

func armour(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// serverUser is the user of Postgres in the public image, who must own its key. Root, as whom MinIO
// runs, can read every file.
const serverUser = 999

// archive returns a tar archive of files, by path, that only serverUser may read.
func archive(files map[string]string) (*bytes.Buffer, error) {
	out := new(bytes.Buffer)
	w := tar.NewWriter(out)
	for path, text := range files {
		head := &tar.Header{
			Name: path, Size: int64(len(text)), Mode: 0o600, Uid: serverUser, Gid: serverUser,
		}
		if err := w.WriteHeader(head); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	return out, w.Close()
}
