package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/miroir-search/miroir/config"
)

// devOptions are the flags that only `dev` has.
type devOptions struct {
	path             string
	groups, perGroup int
	ephemeral        bool
}

func devDefaults() *config.Config {
	c := config.Default()
	c.Env, c.DataDir = config.Development, "./data"
	return c
}

func (p *program) devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the proxy with embedded nodes, to try it out",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.environment(cmd.Flags(), "groups", "nodes-per-group", "ephemeral"); err != nil {
				return err
			}
			c, err := p.configure(cmd, devDefaults(), o.path, false)
			if err != nil {
				return err
			}
			if err := o.check(c); err != nil {
				return usageError{err}
			}
			return p.dev(cmd.Context(), c, o)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.path, "config", "", "configuration file in YAML, without nodes")
	fs.IntVar(&o.groups, "groups", 2, "replica groups")
	fs.IntVar(&o.perGroup, "nodes-per-group", 2, "nodes in each group")
	fs.BoolVar(&o.ephemeral, "ephemeral", false, "keep everything in memory and forget it at the end")
	devDefaults().Flags(fs)
	if err := fs.MarkHidden("node"); err != nil {
		panic("BUG: " + err.Error()) // the flag was declared one line above
	}
	return cmd
}

func (o devOptions) check(c *config.Config) error {
	switch {
	case len(c.Nodes) > 0:
		return errors.New("dev makes its own nodes; use `miroir serve` for the ones you have")
	case o.groups < 1 || o.perGroup < 1 || o.groups*o.perGroup > 64:
		return fmt.Errorf("--groups and --nodes-per-group must be at least 1 and give at most 64 nodes, got %d and %d", o.groups, o.perGroup)
	case c.ReplicationFactor > o.perGroup:
		return fmt.Errorf("--replicas %d needs at least as many --nodes-per-group, got %d", c.ReplicationFactor, o.perGroup)
	}
	return nil
}

// dev runs nodes and proxy in one process until ctx ends.
func (p *program) dev(ctx context.Context, c *config.Config, o devOptions) (err error) {
	log, err := newLogger(p.stderr, c.Log.Level)
	if err != nil {
		return err
	}
	nodeDir := ""
	if !o.ephemeral {
		nodeDir = filepath.Join(c.DataDir, "nodes")
	}
	f, err := startFleet(o.groups, o.perGroup, nodeDir, c.NodeKey, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	own := *c
	own.Nodes, own.DataDir = f.nodes, filepath.Join(c.DataDir, "miroir")
	for _, w := range own.Warnings() {
		log.Warn(w)
	}
	m, err := startMiroir(ctx, &own, log, fleetOptions{ephemeral: o.ephemeral, switches: f})
	if err != nil {
		return err
	}
	if m.ready(ctx, readyWait) {
		err = p.printf("%s", welcome(&own, o, m.server.Addr(), m.server.MetricsAddr(), c.DataDir))
	}
	return errors.Join(err, m.wait(ctx, c.Limits.ShutdownTimeout))
}

const readyWait = 15 * time.Second

// ready waits until every shard can be read; after the time allowed the welcome
// is shown all the same, because /_miroir/ready says more than silence.
func (m *miroir) ready(ctx context.Context, allowed time.Duration) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(allowed)
	for m.cluster.Ready() != nil {
		select {
		case <-ctx.Done():
			return false
		case <-late:
			return true
		case <-tick.C:
		}
	}
	return true
}

// welcome is what a newcomer can do now.
func welcome(c *config.Config, o devOptions, addr, metrics, dir string) string {
	url, auth := "http://"+addr, ""
	if c.TLS.CertPath != "" {
		url = "https://" + addr
	}
	if c.MasterKey != "" {
		auth = " -H \"Authorization: Bearer $MIROIR_MASTER_KEY\""
	}
	data := dir
	if o.ephemeral {
		data = "in memory, gone when this stops"
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("")
	line("Miroir is running: %s of %s, %s of every shard in each group.", count(o.groups, "group", "groups"),
		count(o.perGroup, "node", "nodes"), count(c.ReplicationFactor, "copy", "copies"))
	line("")
	line("  API      %s", url)
	if metrics != "" {
		line("  metrics  http://%s/metrics", metrics)
	}
	line("  nodes    %s", nodeList(c))
	line("  data     %s", data)
	line("")
	line("Try it in another terminal:")
	line("")
	line("  curl%s '%s/indexes/films/documents' -H 'Content-Type: application/json' \\", auth, url)
	line("    --data '[{\"id\":1,\"title\":\"Metropolis\"},{\"id\":2,\"title\":\"The Mirror\"}]'")
	line("  curl%s '%s/tasks/0'", auth, url)
	line("  curl%s '%s/indexes/films/search?q=mirror'", auth, url)
	line("")
	line("Lose a node, search again, look at the fleet, bring it back:")
	line("")
	line("  curl%s -X POST '%s/_miroir/dev/nodes/%s/stop'", auth, url, c.Nodes[0].ID)
	line("  curl%s '%s/indexes/films/search?q=mirror'", auth, url)
	line("  ./bin/miroir status --url %s", url)
	line("  curl%s -X POST '%s/_miroir/dev/nodes/%s/start'", auth, url, c.Nodes[0].ID)
	line("")
	line("Ctrl-C stops everything.")
	line("")
	return b.String()
}

func nodeList(c *config.Config) string {
	var names []string
	for _, n := range c.Nodes {
		names = append(names, n.ID+" "+strings.TrimPrefix(n.Address, "http://127.0.0.1"))
	}
	return strings.Join(names, ", ")
}
