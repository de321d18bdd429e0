// Command faultynode is one embedded node whose tasks can be made slow or made to
// fail from outside, for tests with nodes in processes of their own.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/miroir-search/miroir/embedded"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "faultynode:", err)
		os.Exit(1)
	}
}

func run() error {
	var o embedded.Options
	flag.StringVar(&o.Addr, "http-addr", "", "where the node listens")
	flag.StringVar(&o.Dir, "db-path", "", "directory of its data")
	control := flag.String("control-addr", "", "where POST /faults plans a fault of tasks and DELETE /faults removes all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *control)
	if err != nil {
		return err
	}
	n, err := embedded.Start(o)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: faults(n), ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	<-ctx.Done()
	err = errors.Join(server.Close(), n.Close())
	<-ended // it says that it was closed
	return err
}

func faults(n *embedded.Node) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		var f embedded.TaskFault
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n.Faults().AddTask(f)
	})
	m.HandleFunc("DELETE /faults", func(http.ResponseWriter, *http.Request) { n.Faults().Clear() })
	return m
}
