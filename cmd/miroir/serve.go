package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/miroir-search/miroir/config"
)

func (p *program) serveCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy in front of Meilisearch servers",
		Example: "  miroir serve --config miroir.yaml\n" +
			"  MIROIR_MASTER_KEY=… MIROIR_NODE_KEY=… miroir serve --node http://a:7700 --node http://b:7700 --node http://c:7700 --replicas 3",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.configure(cmd, config.Default(), path, true)
			if err != nil {
				return err
			}
			return p.serve(cmd.Context(), c)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration file in YAML")
	config.Default().Flags(cmd.Flags())
	return cmd
}

// configure loads and checks the configuration of a command.
func (p *program) configure(cmd *cobra.Command, defaults *config.Config, path string, needNodes bool) (*config.Config, error) {
	if path == "" {
		path = p.getenv("MIROIR_CONFIG")
	}
	c, err := config.Load(defaults, path, p.getenv, cmd.Flags())
	if err != nil {
		return nil, usageError{err}
	}
	if err := c.Validate(needNodes); err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// serve runs the proxy until ctx ends, then stops it in order.
func (p *program) serve(ctx context.Context, c *config.Config) error {
	log, err := newLogger(p.stderr, c.Log.Level)
	if err != nil {
		return err
	}
	for _, w := range c.Warnings() {
		log.Warn(w)
	}
	m, err := startMiroir(ctx, c, log, fleetOptions{})
	if err != nil {
		return err
	}
	log.WithField("api", m.server.Addr()).WithField("metrics", m.server.MetricsAddr()).WithField("nodes", len(c.Nodes)).
		Info("miroir is listening")
	return m.wait(ctx, c.Limits.ShutdownTimeout)
}
