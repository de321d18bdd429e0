// Command miroir makes a fleet of Meilisearch servers look like one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // resharding windows name time zones; small images have none

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/miroir-search/miroir/config"
)

func main() {
	ctx, stop := withSignals(context.Background())
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// withSignals ends the context at the first SIGINT or SIGTERM and the process,
// at once, at the second.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
		case <-done:
			return
		}
		select {
		case sig := <-signals:
			code := 130
			if sig == syscall.SIGTERM {
				code = 143
			}
			os.Exit(code)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// run carries out one command line and returns the exit code: 0, 1 for a
// failure, 2 for a command line that cannot be understood.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr, getenv: os.Getenv}
	root := p.root()
	root.SetArgs(append([]string{}, args...)) // nil would mean the arguments of the process
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errToldAlready):
		return 1
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if _, werr := fmt.Fprintln(stderr, "miroir:", line); werr != nil {
			break // nobody reads; the exit code still tells
		}
	}
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// errToldAlready is a failure that needs no more words than were printed.
var errToldAlready = errors.New("told already")

// usageError is a command line that cannot be understood.
type usageError struct{ error }

// Unwrap gives the reason.
func (e usageError) Unwrap() error { return e.error }

// program is what commands may touch of the outside.
type program struct {
	stdout, stderr io.Writer
	getenv         func(string) string
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "miroir",
		Short:         "One Meilisearch made of many",
		Long:          "Miroir makes a fleet of ordinary Meilisearch servers look like one, sharded and replicated.\nStart with `miroir dev`.",
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(p.serveCommand(), p.devCommand(), p.nodeCommand(), p.statusCommand(), p.tasksCommand(), p.storeCommand(), p.versionCommand())
	return root
}

// environment gives flags that were not set the values of their MIROIR_
// variables: the flags of the names, or all when there are none. The flags of
// the configuration are read by config.Load.
func (p *program) environment(fs *pflag.FlagSet, names ...string) error {
	var failed error
	fs.VisitAll(func(f *pflag.Flag) {
		env := config.EnvName(f.Name)
		value := p.getenv(env)
		if failed != nil || f.Changed || value == "" || len(names) > 0 && !slices.Contains(names, f.Name) {
			return
		}
		if err := fs.Set(f.Name, value); err != nil {
			failed = usageError{fmt.Errorf("%s: %q is not a valid %s", env, value, f.Value.Type())}
		}
	})
	return failed
}

func (p *program) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(p.stdout, format, args...)
	return err
}
