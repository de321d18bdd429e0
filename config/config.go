package config

import (
	"time"

	"github.com/miroir-search/miroir/topology"
)

// Environments: production insists on a master key, development does not.
const (
	Production  = "production"
	Development = "development"
)

// Policies for shards that no node can serve.
const (
	UnavailablePartial = "partial" // answer with what there is, and say so
	UnavailableError   = "error"   // 503 miroir_shard_unavailable
)

// Config is everything an operator can set. The yaml tags are the names in the
// file; flags are the same names with hyphens.
type Config struct {
	HTTPAddr          string          `yaml:"http_addr"`
	MetricsAddr       string          `yaml:"metrics_addr"` // empty: no such listener
	Env               string          `yaml:"env"`
	ReplicationFactor int             `yaml:"replication_factor"` // copies of a shard inside each group
	Shards            int             `yaml:"shards"`             // of indexes created from now on
	DataDir           string          `yaml:"data_dir"`
	DumpDir           string          `yaml:"dump_dir"`     // of Miroir's own part of dumps; below DataDir when empty
	SnapshotDir       string          `yaml:"snapshot_dir"` // the same of snapshots
	Nodes             []topology.Node `yaml:"nodes"`
	UnavailableShards string          `yaml:"unavailable_shards"`
	Resharding        Resharding      `yaml:"resharding"`
	Log               Log             `yaml:"log"`
	TLS               TLS             `yaml:"tls"`
	Limits            Limits          `yaml:"limits"`
	TaskWebhookURL    string          `yaml:"task_webhook_url"` // hears of ended tasks; empty: none

	// Keys come from flags, the environment or files that the environment names.
	MasterKey string `yaml:"-"`
	AdminKey  string `yaml:"-"`
	NodeKey   string `yaml:"-"`
	// TaskWebhookAuthorization is the Authorization header for TaskWebhookURL.
	TaskWebhookAuthorization string `yaml:"-"`

	where map[string]string // by dotted field name: where its value came from
}

// Resharding says when the number of shards of an index may be changed.
type Resharding struct {
	Enabled bool `yaml:"enabled"`
	// AllowedWindows are daily spans such as "02:00-06:00 UTC"; none: any time.
	AllowedWindows []string `yaml:"allowed_windows"`

	windows []Window
}

// Allowed reports whether resharding may start at t.
func (r *Resharding) Allowed(t time.Time) bool {
	if !r.Enabled {
		return false
	}
	if len(r.windows) == 0 {
		return true
	}
	for _, w := range r.windows {
		if w.Contains(t) {
			return true
		}
	}
	return false
}

// Windows are the parsed AllowedWindows, once Validate succeeded.
func (r *Resharding) Windows() []Window { return r.windows }

// Log says what is written to stderr.
type Log struct {
	Level    string `yaml:"level"`    // off, error, warn, info, debug or trace
	Requests bool   `yaml:"requests"` // one line for every request
}

// TLS of the API listener; off without a certificate.
type TLS struct {
	CertPath    string `yaml:"cert_path"`
	KeyPath     string `yaml:"key_path"`
	AuthPath    string `yaml:"auth_path"`    // authorities for client certificates
	RequireAuth bool   `yaml:"require_auth"` // clients without a certificate are refused
}

// Limits bound what clients can make Miroir hold, and how long it waits for them
// and for nodes. Every limit must be positive.
type Limits struct {
	PayloadSize       Size          `yaml:"http_payload_size"`       // of one request body, decoded
	PayloadsInFlight  Size          `yaml:"http_payloads_in_flight"` // of all bodies held at once
	MaxHeader         Size          `yaml:"http_max_header"`
	JournalSize       Size          `yaml:"journal_size"` // of the writes that nodes still lack, on disk
	ReadHeaderTimeout time.Duration `yaml:"http_read_header_timeout"`
	ReadTimeout       time.Duration `yaml:"http_read_timeout"`
	WriteTimeout      time.Duration `yaml:"http_write_timeout"`
	IdleTimeout       time.Duration `yaml:"http_idle_timeout"`
	ShutdownTimeout   time.Duration `yaml:"shutdown_timeout"`
	MaxConcurrent     int           `yaml:"max_concurrent_requests"`
	MaxWait           time.Duration `yaml:"max_request_wait"` // for a free place among them
	MaxQueries        int           `yaml:"max_queries"`      // of one multi-search
	MaxConditions     int           `yaml:"max_conditions"`   // of one filter
	MaxTasks          int           `yaml:"max_tasks"`        // kept; beyond it the oldest tenth goes
	ReadDeadline      time.Duration `yaml:"read_deadline"`    // of a search or another read, all node calls together
	WriteDeadline     time.Duration `yaml:"write_deadline"`   // until a write is answered
	NodeReadTimeout   time.Duration `yaml:"node_read_timeout"`
	NodeWriteTimeout  time.Duration `yaml:"node_write_timeout"`
	NodeProbeInterval time.Duration `yaml:"node_probe_interval"` // between looks at a node in service
	NodeProbeTimeout  time.Duration `yaml:"node_probe_timeout"`
}

// Default is the configuration of `serve` before anything was read.
func Default() *Config {
	return &Config{
		HTTPAddr:          "127.0.0.1:7700",
		MetricsAddr:       "127.0.0.1:9090",
		Env:               Production,
		ReplicationFactor: 1,
		Shards:            64,
		DataDir:           "./miroir-data",
		UnavailableShards: UnavailablePartial,
		Log:               Log{Level: "info", Requests: true},
		Limits: Limits{
			PayloadSize:       100_000_000,
			PayloadsInFlight:  1 << 30,
			MaxHeader:         128 << 10,
			JournalSize:       2 << 30,
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       5 * time.Minute,
			WriteTimeout:      5 * time.Minute,
			IdleTimeout:       2 * time.Minute,
			ShutdownTimeout:   30 * time.Second,
			MaxConcurrent:     1024,
			MaxWait:           time.Second,
			MaxQueries:        10_000,
			MaxConditions:     4_000,
			MaxTasks:          1_000_000,
			ReadDeadline:      30 * time.Second,
			WriteDeadline:     30 * time.Second,
			NodeReadTimeout:   10 * time.Second,
			NodeWriteTimeout:  20 * time.Second,
			NodeProbeInterval: 2 * time.Second,
			NodeProbeTimeout:  2 * time.Second,
		},
	}
}
