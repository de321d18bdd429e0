package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

const whole = `http_addr: 0.0.0.0:7700
metrics_addr: 127.0.0.1:9090
replication_factor: 2        # copies of a shard inside each group
shards: 32
data_dir: ./miroir-data
nodes:
  - {id: a0, address: "http://meili-a0:7700", group: 0}
  - {id: a1, address: "http://meili-a1:7700", group: 0}
  - {id: b0, address: "http://meili-b0:7700", group: 1}
  - {id: b1, address: "http://meili-b1:7700", group: 1}
unavailable_shards: error
resharding: {enabled: true, allowed_windows: ["02:00-06:00 UTC"]}
limits:
  http_payload_size: 10 MB
  http_read_timeout: 90s
`

// load reads text as a file called m.yaml with the given environment and arguments.
func load(t *testing.T, text string, env map[string]string, args ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	path := ""
	if text != "" {
		path = "m.yaml"
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fs := pflag.NewFlagSet("miroir", pflag.ContinueOnError)
	Default().Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(Default(), path, func(name string) string { return env[name] }, fs)
}

var goodKey = map[string]string{"MIROIR_MASTER_KEY": "0123456789abcdef"}

func TestTheExampleFileOfTheGuideIsUnderstood(t *testing.T) {
	c, err := load(t, whole, goodKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(true); err != nil {
		t.Fatal(err)
	}
	if c.HTTPAddr != "0.0.0.0:7700" || c.ReplicationFactor != 2 || c.Shards != 32 || len(c.Nodes) != 4 || c.Nodes[2].ID != "b0" ||
		c.Nodes[3].Group != 1 || c.UnavailableShards != UnavailableError || c.Limits.PayloadSize != 10_000_000 ||
		c.Limits.ReadTimeout != 90*time.Second || c.Limits.IdleTimeout != Default().Limits.IdleTimeout {
		t.Errorf("read %+v", c)
	}
	if len(c.Resharding.Windows()) != 1 || !c.Resharding.Allowed(time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)) {
		t.Error("the resharding window is not in force")
	}
}

func TestLaterSourcesWin(t *testing.T) {
	env := map[string]string{"MIROIR_SHARDS": "128", "MIROIR_DATA_DIR": "/from/env", "MIROIR_MASTER_KEY": "from-env-0123456789"}
	c, err := load(t, whole, env, "--data-dir", "/from/flag", "--replicas=1")
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTPAddr != "0.0.0.0:7700" || c.Shards != 128 || c.DataDir != "/from/flag" || c.ReplicationFactor != 1 ||
		c.MasterKey != "from-env-0123456789" || c.Log.Level != "info" {
		t.Errorf("got %+v", c)
	}
}

func TestNodeFlagsMakeOneGroupNamedByHostAndPort(t *testing.T) {
	args := []string{"--node", "http://a:7700", "--node", "http://b:7700/", "--node=https://c.example", "--replicas", "3"}
	env := map[string]string{"MIROIR_NODE": "http://x:1,http://y:1", "MIROIR_MASTER_KEY": "0123456789abcdef"}
	c, err := load(t, whole, env, args...)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(true); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range c.Nodes {
		got = append(got, n.ID+"="+n.Address)
	}
	if s := strings.Join(got, " "); s != "a-7700=http://a:7700 b-7700=http://b:7700 c.example=https://c.example" {
		t.Errorf("nodes are %s", s)
	}
}

func TestNodesFromTheEnvironmentReplaceThoseOfTheFile(t *testing.T) {
	c, err := load(t, whole, map[string]string{"MIROIR_NODE": "http://x:1,http://y:1"})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Nodes) != 2 || c.Nodes[1].ID != "y-1" {
		t.Errorf("nodes are %v", c.Nodes)
	}
}

func TestWrongFilesAreRefusedWithTheLine(t *testing.T) {
	node := "nodes:\n  - {id: a, address: \"http://a:1\"}\n"
	tests := []struct{ name, text, want string }{
		{"an unknown key", "shards: 64\nshard: 3\n", "m.yaml:2: unknown key shard; known here are http_addr,"},
		{"an unknown key inside", "shards: 3\nlog:\n  level: info\n  colour: yes\n", "m.yaml:4: unknown key log.colour"},
		{"an unknown key of a node", "nodes:\n  - id: a\n    adress: http://a:1\n", "m.yaml:3: unknown key nodes[0].adress; known here are id, address, group"},
		{"the master key in the file", "shards: 3\nmaster_key: abc\n", "m.yaml:2: master_key: keys never come from the configuration file; set MIROIR_MASTER_KEY"},
		{"a key in another spelling", "Node-Key: abc\n", "m.yaml:1: Node-Key: keys never come from"},
		{"a key twice", "shards: 3\nshards: 4\n", `mapping key "shards" already defined at line 1`},
		{"a word for a number", "replication_factor: 1\nshards: many\n", "line 2: cannot unmarshal !!str `many` into int"},
		{"a size that is none", "limits:\n  http_payload_size: big\n", `line 2: "big" is not a size`},
		{"a list at the top", "- a\n", "m.yaml:1: the configuration must be a mapping"},
		{"a word for a mapping", "shards: 1\nlog: loud\n", "m.yaml:2: log must be a mapping"},
		{"broken YAML", "shards: [1\n", "m.yaml: "},
		{"two documents", "shards: 1\n---\nshards: 2\n", "one YAML document"},
		{"two nodes with one id", node + "  - {id: a, address: \"http://b:1\"}\n", `m.yaml:3: nodes[1].id: "a" is already the id of nodes[0]`},
		{"two nodes with one address", node + "  - id: b\n    address: http://a:1/\n", "m.yaml:4: nodes[1].address: http://a:1/ is already the address of nodes[0]"},
		{"fewer nodes than copies", "replication_factor: 2\n" + node, "m.yaml:3: nodes[0].group: group 0 has 1 nodes, fewer than the 2 copies"},
		{"no nodes", "shards: 1\n", "nodes: no nodes: list them"},
		{"an id with a slash", "nodes:\n  - {id: a/b, address: \"http://a:1\"}\n", `m.yaml:2: nodes[0].id: must be 1 to 64 letters`},
		{"an address without scheme", "nodes:\n  - {id: a, address: \"a:7700\"}\n", `m.yaml:2: nodes[0].address: must be a URL`},
		{"a password in an address", "nodes:\n  - {id: a, address: \"http://u:p@a:1\"}\n", "must not hold a name or password"},
		{"a path in an address", "nodes:\n  - {id: a, address: \"http://a:1/x\"}\n", "must end after host and port"},
		{"no shards", node + "shards: 0\n", "m.yaml:3: shards: must be between 1 and 32768, got 0"},
		{"no copies", node + "replication_factor: 0\n", "m.yaml:3: replication_factor: must be at least 1"},
		{"an unknown policy", node + "unavailable_shards: ignore\n", `m.yaml:3: unavailable_shards: must be one of partial, error, got "ignore"`},
		{"an address without port", node + "http_addr: localhost\n", `m.yaml:3: http_addr: must be host:port, got "localhost"`},
		{"one address for both", node + "http_addr: 127.0.0.1:9090\n", "metrics_addr: must differ from http_addr"},
		{"an unknown environment", node + "env: staging\n", "m.yaml:3: env: must be one of production, development"},
		{"a bad window", node + "resharding:\n  allowed_windows:\n    - 01:00-02:00\n    - \"2-6 UTC\"\n", `m.yaml:6: resharding.allowed_windows[1]: "2-6 UTC" is not a window`},
		{"a key without certificate", node + "tls: {key_path: k.pem}\n", "tls.cert_path: certificate and key are needed together"},
		{"a time of zero", node + "limits:\n  http_read_timeout: 0s\n", "m.yaml:4: limits.http_read_timeout: must be a time above zero"},
		{"a deadline of zero", node + "limits: {write_deadline: 0s}\n", "m.yaml:3: limits.write_deadline: must be a time above zero"},
		{"a node's time of zero", node + "limits: {node_probe_interval: 0s}\n", "m.yaml:3: limits.node_probe_interval: must be a time above zero"},
		{"a negative time", node + "limits:\n  max_request_wait: -1s\n", "m.yaml:4: limits.max_request_wait"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c, err := load(t, tc.text, goodKey)
			if err == nil {
				err = c.Validate(true)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestWrongEnvironmentAndFlagsAreRefusedByName(t *testing.T) {
	t.Run("a word for a number", func(t *testing.T) {
		_, err := load(t, "", map[string]string{"MIROIR_SHARDS": "many"})
		if err == nil || err.Error() != `MIROIR_SHARDS: "many" is not a valid int` {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("a number out of range", func(t *testing.T) {
		c, err := load(t, "", goodKey, "--shards=-4", "--node=http://a:1")
		if err == nil {
			err = c.Validate(true)
		}
		if err == nil || err.Error() != "--shards: shards: must be between 1 and 32768, got -4" {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("all that is wrong is said at once", func(t *testing.T) {
		c, err := load(t, "", goodKey, "--shards=0", "--replicas=0")
		if err == nil {
			err = c.Validate(true)
		}
		if err == nil || strings.Count(err.Error(), "\n") != 2 {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("a missing file", func(t *testing.T) {
		_, err := Load(Default(), filepath.Join(t.TempDir(), "none.yaml"), os.Getenv, pflag.NewFlagSet("", pflag.ContinueOnError))
		if err == nil || !strings.Contains(err.Error(), "read the configuration: open ") {
			t.Errorf("error is %v", err)
		}
	})
}

func TestKeysComeFromFilesThatTheEnvironmentNames(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, empty := write("key", "0123456789abcdef\n"), write("empty", "\n")
	c, err := load(t, "", map[string]string{"MIROIR_MASTER_KEY_FILE": key, "MIROIR_NODE_KEY_FILE": key})
	if err != nil || c.MasterKey != "0123456789abcdef" || c.NodeKey != c.MasterKey {
		t.Errorf("keys are %q and %q, error %v", c.MasterKey, c.NodeKey, err)
	}
	for name, env := range map[string]map[string]string{
		"are both set": {"MIROIR_ADMIN_KEY_FILE": key, "MIROIR_ADMIN_KEY": "x"},
		"is empty":     {"MIROIR_ADMIN_KEY_FILE": empty},
		"no such file": {"MIROIR_ADMIN_KEY_FILE": key + "x"},
	} {
		if _, err := load(t, "", env); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error is %v, want %q in it", err, name)
		}
	}
}

func TestProductionInsistsOnGoodKeys(t *testing.T) {
	tests := []struct {
		name, env, master, admin, want string
	}{
		{"no master key", Production, "", "", "needs a master key of at least 16 bytes"},
		{"a short master key", Production, "short", "", "the master key must be at least 16 bytes, this one is only 5 bytes"},
		{"a short admin key", Production, "0123456789abcdef", "short", "the admin key must be at least 16 bytes"},
		{"one key for both", Production, "0123456789abcdef", "0123456789abcdef", "admin_key: must differ"},
		{"good keys", Production, "0123456789abcdef", "fedcba9876543210", ""},
		{"development without a key", Development, "", "", ""},
		{"development with a short key", Development, "short", "", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			c, err := load(t, "", map[string]string{"MIROIR_MASTER_KEY": tc.master, "MIROIR_ADMIN_KEY": tc.admin},
				"--env", tc.env, "--node=http://a:1")
			if err != nil {
				t.Fatal(err)
			}
			err = c.Validate(true)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error is %v, want %q in it", err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "0123456789") || strings.Contains(err.Error(), "short,")) {
				t.Error("the error prints a key")
			}
			if warned := len(c.Warnings()) > 0; warned != (len(tc.master) < MinKeyBytes) {
				t.Errorf("warnings: %q", c.Warnings())
			}
		})
	}
}

func TestWindows(t *testing.T) {
	at := func(hour, minute int) time.Time { return time.Date(2026, 3, 4, hour, minute, 59, 0, time.UTC) }
	tests := []struct {
		window string
		t      time.Time
		want   bool
	}{
		{"02:00-06:00 UTC", at(2, 0), true},
		{"02:00-06:00 UTC", at(1, 59), false},
		{"02:00-06:00 UTC", at(5, 59), true},
		{"02:00-06:00 UTC", at(6, 0), false},
		{"02:00-06:00", at(3, 0), true},
		{"22:00-02:00 UTC", at(23, 0), true},
		{"22:00-02:00 UTC", at(1, 59), true},
		{"22:00-02:00 UTC", at(2, 0), false},
		{"22:00-02:00 UTC", at(21, 59), false},
		{"00:00-24:00", at(0, 0), true},
		{"00:00-24:00", at(23, 59), true},
		{"22:00-24:00", at(0, 0), false},
	}
	for _, tc := range tests {
		w, err := ParseWindow(tc.window)
		if err != nil {
			t.Errorf("%s: %v", tc.window, err)
		} else if got := w.Contains(tc.t); got != tc.want {
			t.Errorf("%s contains %s: %v", tc.window, tc.t.Format("15:04"), got)
		}
	}
	for _, bad := range []string{"", "02:00", "2:00-6:00", "02:00-25:00", "02:60-03:00", "24:00-02:00", "02:00-02:00", "02:00-06:00 Mars/Base", "02:00 - 06:00", "-1:00-02:00"} {
		if _, err := ParseWindow(bad); err == nil || !strings.Contains(err.Error(), `"`+bad+`"`) {
			t.Errorf("%q: error is %v", bad, err)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "100 MB": 100_000_000, "64KiB": 65536, "1.5 GiB": 3 << 29, "7b": 7, "12": 12} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "MB", "-1", "1 XB", "NaN", "1e40 GB", "0x10"} {
		if got, err := ParseSize(bad); err == nil {
			t.Errorf("%q is %d", bad, got)
		}
	}
}

func TestEveryFlagSetsAKnownField(t *testing.T) {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	Default().Flags(fs)
	n := 0
	fs.VisitAll(func(f *pflag.Flag) {
		n++
		if flagFields[f.Name] == "" {
			t.Errorf("flag %s has no field", f.Name)
		}
	})
	if n != len(flagFields) {
		t.Errorf("%d flags, %d fields", n, len(flagFields))
	}
}
