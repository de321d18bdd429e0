package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/miroir-search/miroir/embedded"
)

func (p *program) nodeCommand() *cobra.Command {
	var o embedded.Options
	var level string
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
			o.Logger = log
			n, err := embedded.Start(o)
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
	fs.StringVar(&o.Addr, "http-addr", "127.0.0.1:7701", "where the node listens")
	fs.StringVar(&o.Dir, "db-path", "", "directory of its data; empty for memory")
	fs.StringVar(&o.MasterKey, "master-key", "", "key that every request must show; empty for none")
	fs.BoolVar(&o.Even, "even-scores", false, "let ranking scores of several nodes compare, which those of real servers do not")
	fs.StringVar(&o.DumpDir, "dump-dir", "", "where dumps are written; below --db-path when empty")
	fs.StringVar(&o.SnapshotDir, "snapshot-dir", "", "where snapshots are written; below --db-path when empty")
	fs.StringVar(&o.ImportDump, "import-dump", "", "dump to begin with, where nothing is stored yet")
	fs.StringVar(&o.ImportSnapshot, "import-snapshot", "", "snapshot to begin with, where nothing is stored yet")
	fs.StringVar(&level, "log-level", "warn", "off, error, warn, info, debug or trace")
	return cmd
}
