package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/miroir-search/miroir/store"
)

func (p *program) storeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Look after Miroir's own store",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	cmd.AddCommand(p.backupCommand())
	return cmd
}

func (p *program) backupCommand() *cobra.Command {
	r := &remote{}
	var data string
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the store into a new directory, of a proxy that runs or of one that does not",
		Long: "Copies the store of the running proxy, as it is now, into a new directory on the proxy's machine.\n" +
			"With --data-dir the store of a proxy that does not run is copied.\n" +
			"The nodes are not copied: POST /dumps and POST /snapshots make backups of everything.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.prepare(cmd, r); err != nil {
				return err
			}
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return usageError{err}
			}
			if data != "" {
				err = copyStore(cmd.Context(), data, dir)
			} else {
				err = r.backUp(cmd.Context(), dir)
			}
			if err != nil {
				return err
			}
			return p.printf("The store is in %s\n", dir)
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&data, "data-dir", "", "data directory of a proxy that does not run")
	return cmd
}

// backUp has the proxy copy its store.
func (r *remote) backUp(ctx context.Context, dir string) error {
	body, err := json.Marshal(map[string]string{"dir": dir})
	if err != nil {
		return err
	}
	_, err = r.send(ctx, http.MethodPost, "/admin/backup", body)
	return err
}

// copyStore copies a store that nobody has open.
func copyStore(ctx context.Context, from, to string) error {
	if _, err := os.Stat(filepath.Join(from, "miroir.db")); err != nil {
		return fmt.Errorf("no store is in %s: %w", from, err) // opening would make one
	}
	s, err := store.Open(ctx, store.Options{Dir: from})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w: leave --data-dir out, and the proxy that runs there makes the copy", err)
	}
	if err != nil {
		return err
	}
	return errors.Join(s.Backup(ctx, to), s.Close())
}
