// Command registry serves the embedded stack's registry on a port that other containers reach.
package main

import (
	"context"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
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
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inner)
		r.Out.SetBasicAuth(at.User, at.Password) // compose.yaml's registry has no password
	}}
	server := &http.Server{Addr: ":8081", Handler: proxy}
	context.AfterFunc(ctx, func() { server.Close() })
	log.Print(server.ListenAndServe())
}

// compatible judges schemas by the reference solution of lab 1.
func compatible(mode, next string, published ...string) error {
	return codec.Compatible(contract.Mode(mode), next, published...)
}
