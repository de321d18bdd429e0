package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/miroir-search/miroir/embedded"
)

func (p *program) nodeCommand() *cobra.Command {
	var addr, dir, key, level string
	var even bool
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run one embedded node, a small stand-in for a Meilisearch server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.environment(cmd.Flags()); err != nil {
				return err
			}
			log, err := newLogger(p.stderr, level)
			if err != nil {
				return usageError{err}
			}
			n, err := embedded.Start(embedded.Options{Addr: addr, Dir: dir, MasterKey: key, Even: even, Logger: log})
			if err != nil {
				return fmt.Errorf("start the node: %w", err)
			}
			if err := p.printf("node listens on %s\n", n.URL()); err != nil {
				return errors.Join(err, n.Close())
			}
			<-cmd.Context().Done()
			return n.Close()
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&addr, "http-addr", "127.0.0.1:7701", "where the node listens")
	fs.StringVar(&dir, "db-path", "", "directory of its data; empty for memory")
	fs.StringVar(&key, "master-key", "", "key that every request must show; empty for none")
	fs.BoolVar(&even, "even-scores", false, "let ranking scores of several nodes compare, which those of real servers do not")
	fs.StringVar(&level, "log-level", "warn", "off, error, warn, info, debug or trace")
	return cmd
}
