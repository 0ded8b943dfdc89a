// Command registry serves the embedded stack's registry on a port that other containers reach.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	codec "example.com/blotter/solutions/1-schemas"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	s := stack.Embedded(stack.EmbeddedOptions{Dir: "/data", Compatible: compatible})
	defer s.Close()
	at, err := s.Registry(ctx)
	if err != nil {
		log.Fatal(err)
	}
	inner, err := url.Parse(at.URL)
	if err != nil {
		log.Fatal(err)
	}
	user, password, err := signIn()
	if err != nil {
		log.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inner)
		if u, p, _ := r.In.BasicAuth(); u == user && p == password {
			r.Out.SetBasicAuth(at.User, at.Password)
		} else {
			r.Out.Header.Del("Authorization")
		}
	}}
	server := &http.Server{Addr: ":8081", Handler: proxy}
	context.AfterFunc(ctx, func() { server.Close() })
	log.Print(server.ListenAndServe())
}

// signIn returns the only user of compose.yaml's registry, and the password. The file is one of
// Jetty's: "user: password,role".
func signIn() (user, password string, err error) {
	text, err := os.ReadFile("/etc/blotter/registry.users")
	if err != nil {
		return "", "", err
	}
	user, rest, _ := strings.Cut(string(text), ": ")
	password, _, ok := strings.Cut(rest, ",")
	if !ok {
		return "", "", errors.New("registry.users has no user, password and role")
	}
	return user, password, nil
}

// compatible judges schemas by the reference solution of lab 1.
func compatible(mode, next string, published ...string) error {
	return codec.Compatible(contract.Mode(mode), next, published...)
}
