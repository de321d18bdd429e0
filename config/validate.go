package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/topology"
)

// MinKeyBytes is the least length of a key in production, as in Meilisearch.
const MinKeyBytes = 16

const (
	maxShards = topology.MaxShards
	maxNodeID = 64
)

// Validate checks everything and reports all that is wrong at once, each with
// the name of the field and the place its value came from. It also parses the
// resharding windows. needNodes says whether nodes must be configured, as for
// `serve`; an embedded fleet makes its own.
func (c *Config) Validate(needNodes bool) error {
	v := &validation{c: c}
	v.addresses()
	v.oneOf("env", c.Env, Production, Development)
	v.oneOf("unavailable_shards", c.UnavailableShards, UnavailablePartial, UnavailableError)
	v.oneOf("log.level", c.Log.Level, "off", "error", "warn", "info", "debug", "trace")
	if c.Shards < 1 || c.Shards > maxShards {
		v.add("shards", "must be between 1 and %d, got %d", maxShards, c.Shards)
	}
	if c.ReplicationFactor < 1 {
		v.add("replication_factor", "must be at least 1, got %d", c.ReplicationFactor)
	}
	if c.DataDir == "" {
		v.add("data_dir", "must name a directory")
	}
	if reason := api.BadURL(c.TaskWebhookURL); reason != "" && c.TaskWebhookURL != "" {
		v.add("task_webhook_url", "must be a URL: %s", reason)
	}
	if needNodes && len(c.Nodes) == 0 {
		v.add("nodes", "no nodes: list them in the configuration file or give --node http://host:7700 for each")
	}
	v.nodes()
	v.keys()
	v.tls()
	v.limits()
	v.windows()
	return errors.Join(v.problems...)
}

// Warnings are what is allowed and still worth saying at the start.
func (c *Config) Warnings() []string {
	var out []string
	if c.MasterKey == "" {
		out = append(out, "no master key is set: everybody who can reach "+c.HTTPAddr+
			" can read, change and delete everything; set MIROIR_MASTER_KEY before this leaves your machine")
	} else if len(c.MasterKey) < MinKeyBytes {
		out = append(out, fmt.Sprintf("the master key has %d bytes; production will ask for at least %d", len(c.MasterKey), MinKeyBytes))
	}
	if c.Resharding.Enabled {
		out = append(out, "resharding.enabled has no effect yet: this version cannot reshard")
	}
	return out
}

type validation struct {
	c        *Config
	problems []error
}

// add records a problem with a field, at the closest place that is known.
func (v *validation) add(field, format string, args ...any) {
	text := field + ": " + fmt.Sprintf(format, args...)
	for name := field; ; {
		if place, ok := v.c.where[name]; ok {
			text = place + ": " + text
			break
		}
		cut := strings.LastIndexAny(name, ".[")
		if cut < 0 {
			break
		}
		name = name[:cut]
	}
	v.problems = append(v.problems, errors.New(text))
}

func (v *validation) oneOf(field, got string, accepted ...string) {
	if !slices.Contains(accepted, got) {
		v.add(field, "must be one of %s, got %q", strings.Join(accepted, ", "), got)
	}
}

func (v *validation) addresses() {
	for _, a := range []struct{ field, addr string }{{"http_addr", v.c.HTTPAddr}, {"metrics_addr", v.c.MetricsAddr}} {
		if a.addr == "" && a.field == "metrics_addr" {
			continue
		}
		_, port, err := net.SplitHostPort(a.addr)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > 65535 {
			v.add(a.field, "must be host:port, got %q", a.addr)
		}
	}
	if _, port, _ := net.SplitHostPort(v.c.HTTPAddr); v.c.HTTPAddr == v.c.MetricsAddr && port != "0" {
		v.add("metrics_addr", "must differ from http_addr, both are %s", v.c.HTTPAddr)
	}
}

// nodes checks each node by itself, then the fleet.
func (v *validation) nodes() {
	ids, addresses, groups := map[string]int{}, map[string]int{}, map[int]int{}
	for i, n := range v.c.Nodes {
		name := "nodes[" + strconv.Itoa(i) + "]"
		v.node(name, n)
		if first, twice := ids[n.ID]; twice {
			v.add(name+".id", "%q is already the id of nodes[%d]", n.ID, first)
		} else if n.ID != "" {
			ids[n.ID] = i
		}
		address := strings.ToLower(strings.TrimSuffix(n.Address, "/"))
		if first, twice := addresses[address]; twice {
			v.add(name+".address", "%s is already the address of nodes[%d]", n.Address, first)
		} else if address != "" {
			addresses[address] = i
		}
		groups[n.Group]++
	}
	var small []int
	for g, n := range groups {
		if n < v.c.ReplicationFactor {
			small = append(small, g)
		}
	}
	slices.Sort(small)
	for _, g := range small {
		at := slices.IndexFunc(v.c.Nodes, func(n topology.Node) bool { return n.Group == g })
		v.add("nodes["+strconv.Itoa(at)+"].group", "group %d has %d nodes, fewer than the %d copies of replication_factor",
			g, groups[g], v.c.ReplicationFactor)
	}
}

func (v *validation) node(name string, n topology.Node) {
	ok := n.ID != "" && len(n.ID) <= maxNodeID
	for i := 0; i < len(n.ID); i++ {
		c := n.ID[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.", c) >= 0)
	}
	if !ok {
		v.add(name+".id", "must be 1 to %d letters, digits, dots, hyphens or underscores, got %q", maxNodeID, n.ID)
	}
	u, err := url.Parse(n.Address)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		v.add(name+".address", "must be a URL such as http://host:7700, got %q", n.Address)
	case u.User != nil:
		v.add(name+".address", "must not hold a name or password; the key of the nodes is MIROIR_NODE_KEY")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		v.add(name+".address", "must end after host and port, got %q", n.Address)
	}
	if n.Group < 0 {
		v.add(name+".group", "must not be negative, got %d", n.Group)
	}
}

func (v *validation) keys() {
	c := v.c
	if c.AdminKey != "" && c.AdminKey == c.MasterKey {
		v.add("admin_key", "must differ from the master key")
	}
	if c.Env != Production {
		return
	}
	if c.MasterKey == "" {
		v.add("master_key", "a production environment needs a master key of at least %d bytes to secure the instance: "+
			"set MIROIR_MASTER_KEY, MIROIR_MASTER_KEY_FILE or --master-key, or use --env development", MinKeyBytes)
	}
	for _, k := range []struct{ field, name, key string }{{"master_key", "master key", c.MasterKey}, {"admin_key", "admin key", c.AdminKey}} {
		if k.key != "" && len(k.key) < MinKeyBytes {
			v.add(k.field, "in a production environment the %s must be at least %d bytes, this one is only %d bytes",
				k.name, MinKeyBytes, len(k.key))
		}
	}
}

func (v *validation) tls() {
	t := v.c.TLS
	if (t.CertPath == "") != (t.KeyPath == "") {
		v.add(pick(t.CertPath == "", "tls.cert_path", "tls.key_path"), "certificate and key are needed together")
	}
	if t.AuthPath != "" && t.CertPath == "" {
		v.add("tls.auth_path", "needs tls.cert_path and tls.key_path")
	}
	if t.RequireAuth && t.AuthPath == "" {
		v.add("tls.require_auth", "needs tls.auth_path")
	}
}

func (v *validation) limits() {
	l := v.c.Limits
	for _, s := range []struct {
		field string
		size  Size
	}{
		{"http_payload_size", l.PayloadSize}, {"http_payloads_in_flight", l.PayloadsInFlight}, {"http_max_header", l.MaxHeader},
		{"journal_size", l.JournalSize},
	} {
		if s.size < 1 {
			v.add("limits."+s.field, "must be at least 1 byte")
		}
	}
	if l.PayloadsInFlight < l.PayloadSize {
		v.add("limits.http_payloads_in_flight", "must be at least http_payload_size, or the largest body could never be accepted")
	}
	for _, d := range []struct {
		field string
		time  time.Duration
	}{
		{"http_read_header_timeout", l.ReadHeaderTimeout}, {"http_read_timeout", l.ReadTimeout},
		{"http_write_timeout", l.WriteTimeout}, {"http_idle_timeout", l.IdleTimeout},
		{"shutdown_timeout", l.ShutdownTimeout}, {"max_request_wait", l.MaxWait},
		{"read_deadline", l.ReadDeadline}, {"write_deadline", l.WriteDeadline},
		{"node_read_timeout", l.NodeReadTimeout}, {"node_write_timeout", l.NodeWriteTimeout},
		{"node_probe_interval", l.NodeProbeInterval}, {"node_probe_timeout", l.NodeProbeTimeout},
	} {
		if d.time <= 0 {
			v.add("limits."+d.field, "must be a time above zero such as 30s, got %s", d.time)
		}
	}
	if l.MaxTasks < 10 {
		v.add("limits.max_tasks", "must be at least 10, got %d", l.MaxTasks)
	}
	for _, n := range []struct {
		field string
		value int
	}{{"max_queries", l.MaxQueries}, {"max_conditions", l.MaxConditions}} {
		if n.value < 1 {
			v.add("limits."+n.field, "must be at least 1, got %d", n.value)
		}
	}
	if l.MaxConcurrent < 1 {
		v.add("limits.max_concurrent_requests", "must be at least 1, got %d", l.MaxConcurrent)
	}
}

func (v *validation) windows() {
	r := &v.c.Resharding
	r.windows = nil
	for i, text := range r.AllowedWindows {
		w, err := ParseWindow(text)
		if err != nil {
			v.add("resharding.allowed_windows["+strconv.Itoa(i)+"]", "%v", err)
			continue
		}
		r.windows = append(r.windows, w)
	}
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}
