package config

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/miroir-search/miroir/topology"
)

// flagFields says which field every flag sets.
var flagFields = map[string]string{
	"http-addr": "http_addr", "metrics-addr": "metrics_addr", "env": "env", "replicas": "replication_factor",
	"shards": "shards", "data-dir": "data_dir", "dump-dir": "dump_dir", "snapshot-dir": "snapshot_dir", "node": "nodes", "unavailable-shards": "unavailable_shards",
	"log-level": "log.level", "log-requests": "log.requests", "ssl-cert-path": "tls.cert_path", "ssl-key-path": "tls.key_path",
	"ssl-auth-path": "tls.auth_path", "ssl-require-auth": "tls.require_auth",
	"http-payload-size-limit": "limits.http_payload_size", "http-payloads-in-flight": "limits.http_payloads_in_flight",
	"http-max-header": "limits.http_max_header", "journal-size": "limits.journal_size", "http-read-header-timeout": "limits.http_read_header_timeout",
	"http-read-timeout": "limits.http_read_timeout", "http-write-timeout": "limits.http_write_timeout",
	"http-idle-timeout": "limits.http_idle_timeout", "shutdown-timeout": "limits.shutdown_timeout",
	"max-concurrent-requests": "limits.max_concurrent_requests", "max-request-wait": "limits.max_request_wait",
	"max-queries": "limits.max_queries", "max-conditions": "limits.max_conditions",
	"max-tasks":     "limits.max_tasks",
	"read-deadline": "limits.read_deadline", "write-deadline": "limits.write_deadline",
	"node-read-timeout": "limits.node_read_timeout", "node-write-timeout": "limits.node_write_timeout",
	"node-probe-interval": "limits.node_probe_interval", "node-probe-timeout": "limits.node_probe_timeout",
	"master-key": "master_key", "admin-key": "admin_key", "node-key": "node_key",
	"task-webhook-url": "task_webhook_url", "task-webhook-authorization-header": "task_webhook_authorization_header",
}

// Flags declares every flag of c on fs; what c holds now is their default. The
// same function serves help texts and, on a second set, environment and flags.
func (c *Config) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.HTTPAddr, "http-addr", c.HTTPAddr, "where the Meilisearch API listens")
	fs.StringVar(&c.MetricsAddr, "metrics-addr", c.MetricsAddr, "where /metrics and /ready listen, without a token; empty for nowhere")
	fs.StringVar(&c.Env, "env", c.Env, "production (a master key is required) or development")
	fs.StringVar(&c.MasterKey, "master-key", "", "key that may do everything; better in MIROIR_MASTER_KEY or the file MIROIR_MASTER_KEY_FILE")
	fs.StringVar(&c.AdminKey, "admin-key", "", "key for /_miroir/* and /admin/* only")
	fs.StringVar(&c.NodeKey, "node-key", "", "key that Miroir shows to its nodes, usually their master key")
	fs.Var(&nodeFlag{nodes: &c.Nodes}, "node", "URL of a node, repeated; all form one group, each named by host and port")
	fs.IntVar(&c.ReplicationFactor, "replicas", c.ReplicationFactor, "copies of every shard inside each group")
	fs.IntVar(&c.Shards, "shards", c.Shards, "shards of indexes created from now on")
	fs.StringVar(&c.DataDir, "data-dir", c.DataDir, "directory of the journal and the store")
	fs.StringVar(&c.DumpDir, "dump-dir", c.DumpDir, "directory of Miroir's own part of dumps; dumps below the data directory when empty")
	fs.StringVar(&c.SnapshotDir, "snapshot-dir", c.SnapshotDir, "the same for snapshots; snapshots below the data directory when empty")
	fs.StringVar(&c.UnavailableShards, "unavailable-shards", c.UnavailableShards, "what a search does about shards no node can serve: partial or error")
	fs.StringVar(&c.Log.Level, "log-level", c.Log.Level, "off, error, warn, info, debug or trace")
	fs.BoolVar(&c.Log.Requests, "log-requests", c.Log.Requests, "log one line for every request")
	fs.StringVar(&c.TLS.CertPath, "ssl-cert-path", c.TLS.CertPath, "certificate chain in PEM; turns on TLS")
	fs.StringVar(&c.TLS.KeyPath, "ssl-key-path", c.TLS.KeyPath, "private key of the certificate in PEM")
	fs.StringVar(&c.TLS.AuthPath, "ssl-auth-path", c.TLS.AuthPath, "authorities in PEM that sign client certificates")
	fs.BoolVar(&c.TLS.RequireAuth, "ssl-require-auth", c.TLS.RequireAuth, "refuse clients without a certificate")
	fs.StringVar(&c.TaskWebhookURL, "task-webhook-url", c.TaskWebhookURL, "URL that is told of every task that ends; GET /webhooks shows it")
	fs.StringVar(&c.TaskWebhookAuthorization, "task-webhook-authorization-header", "", "Authorization header for --task-webhook-url")
	c.limitFlags(fs)
}

func (c *Config) limitFlags(fs *pflag.FlagSet) {
	l := &c.Limits
	fs.Var(&l.PayloadSize, "http-payload-size-limit", "largest request body, after decompression")
	fs.Var(&l.PayloadsInFlight, "http-payloads-in-flight", "bytes of all request bodies held at once")
	fs.Var(&l.MaxHeader, "http-max-header", "largest request header")
	fs.Var(&l.JournalSize, "journal-size", "bytes on disk of writes that nodes still lack; beyond it copies are rebuilt instead")
	fs.DurationVar(&l.ReadHeaderTimeout, "http-read-header-timeout", l.ReadHeaderTimeout, "time for a client to send a header")
	fs.DurationVar(&l.ReadTimeout, "http-read-timeout", l.ReadTimeout, "time for a client to send a request")
	fs.DurationVar(&l.WriteTimeout, "http-write-timeout", l.WriteTimeout, "time for a request to be answered and read")
	fs.DurationVar(&l.IdleTimeout, "http-idle-timeout", l.IdleTimeout, "time an idle connection is kept")
	fs.DurationVar(&l.ShutdownTimeout, "shutdown-timeout", l.ShutdownTimeout, "time for requests to end after a signal to stop")
	fs.IntVar(&l.MaxConcurrent, "max-concurrent-requests", l.MaxConcurrent, "requests worked on at once")
	fs.DurationVar(&l.MaxWait, "max-request-wait", l.MaxWait, "time a request waits to be worked on before it is refused")
	fs.IntVar(&l.MaxQueries, "max-queries", l.MaxQueries, "queries of one multi-search")
	fs.IntVar(&l.MaxConditions, "max-conditions", l.MaxConditions, "conditions of one filter; what they cost a node grows with their square")
	fs.IntVar(&l.MaxTasks, "max-tasks", l.MaxTasks, "tasks kept in the history; when there are as many, the oldest tenth of them is deleted")
	fs.DurationVar(&l.ReadDeadline, "read-deadline", l.ReadDeadline, "time for a read to be answered, all calls to nodes together")
	fs.DurationVar(&l.WriteDeadline, "write-deadline", l.WriteDeadline, "time for a write to be answered")
	fs.DurationVar(&l.NodeReadTimeout, "node-read-timeout", l.NodeReadTimeout, "time for a node to answer one call of a read")
	fs.DurationVar(&l.NodeWriteTimeout, "node-write-timeout", l.NodeWriteTimeout, "time for a node to answer one call of a write")
	fs.DurationVar(&l.NodeProbeInterval, "node-probe-interval", l.NodeProbeInterval, "time between two looks at a node in service")
	fs.DurationVar(&l.NodeProbeTimeout, "node-probe-timeout", l.NodeProbeTimeout, "time for a node to answer a look")
}

// EnvName is the environment variable of a flag.
func EnvName(flag string) string {
	return "MIROIR_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Load builds a configuration from defaults, the file (skipped when path is
// empty), the environment and the flags that were given on given, which Flags
// declared on some Config. The result is not validated yet.
func Load(defaults *Config, path string, getenv func(string) string, given *pflag.FlagSet) (*Config, error) {
	c := *defaults
	c.where = make(map[string]string)
	if path != "" {
		if err := c.readFile(path); err != nil {
			return nil, err
		}
	}
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.Flags(own)
	var failed error
	own.VisitAll(func(f *pflag.Flag) {
		if failed == nil {
			failed = c.override(own, f.Name, getenv, given)
		}
	})
	if failed != nil {
		return nil, failed
	}
	return &c, nil
}

// override applies the environment and the command line to one flag.
func (c *Config) override(own *pflag.FlagSet, name string, getenv func(string) string, given *pflag.FlagSet) error {
	env := EnvName(name)
	value := getenv(env)
	if _, secret := secrets[flagFields[name]]; secret {
		fromFile, err := Secret(env, getenv)
		if err != nil {
			return err
		}
		value = fromFile
	}
	if value != "" {
		if err := own.Set(name, value); err != nil {
			return fmt.Errorf("%s: %q is not a valid %s", env, value, own.Lookup(name).Value.Type())
		}
		c.where[flagFields[name]] = env
	}
	f := given.Lookup(name)
	if f == nil || !f.Changed {
		return nil
	}
	if list, ok := own.Lookup(name).Value.(*nodeFlag); ok {
		list.used = false // the command line replaces the environment too
	}
	if err := own.Set(name, f.Value.String()); err != nil {
		return fmt.Errorf("--%s: %w", name, err)
	}
	c.where[flagFields[name]] = "--" + name
	return nil
}

// Secret reads a key from the variable env, or from the file that env_FILE
// names. Both at once, or an empty file, is an error.
func Secret(env string, getenv func(string) string) (string, error) {
	value, path := getenv(env), getenv(env+"_FILE")
	switch {
	case path == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("%s and %s_FILE are both set; keep one", env, env)
	}
	data, err := os.ReadFile(path) // #nosec G304 G703 -- the operator names the file
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", env, err)
	}
	key := strings.TrimSpace(string(data))
	if key == "" {
		return "", fmt.Errorf("%s_FILE: %s is empty", env, path)
	}
	return key, nil
}

// nodeFlag collects --node URLs. Its first Set replaces what was there before.
type nodeFlag struct {
	nodes *[]topology.Node
	used  bool
}

// Set takes one URL or several between commas.
func (n *nodeFlag) Set(text string) error {
	if !n.used {
		n.used, *n.nodes = true, nil
	}
	for address := range strings.SplitSeq(text, ",") {
		address = strings.TrimSuffix(strings.TrimSpace(address), "/")
		*n.nodes = append(*n.nodes, topology.Node{ID: nodeID(address), Address: address})
	}
	return nil
}

// String gives the URLs between commas.
func (n *nodeFlag) String() string {
	if n.nodes == nil {
		return ""
	}
	out := make([]string, len(*n.nodes))
	for i, node := range *n.nodes {
		out[i] = node.Address
	}
	return strings.Join(out, ",")
}

// Type is what help texts call the value.
func (*nodeFlag) Type() string { return "url" }

// nodeID names a node by host and port, so that the order of --node flags does
// not decide which node owns which shards.
func nodeID(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, rest)
}
