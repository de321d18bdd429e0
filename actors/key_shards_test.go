package actors

import (
	"encoding/json"
	"testing"

	"github.com/miroir-search/miroir/topology"
)

func TestKeyShards(t *testing.T) {
	const shards = 1024
	for _, c := range []struct {
		filter string // JSON
		keys   []string
	}{
		{`"id = 5"`, []string{"5"}},
		{`"id = '007'"`, []string{"007", "7"}},
		{`"id = -0"`, []string{"-0", "0"}},
		{`"id = 1e2"`, []string{"1e2", "1E2", "100"}},
		{`"id = 1.5"`, []string{"1.5"}},
		{`"id = aB-1"`, []string{"aB-1", "ab-1", "AB-1", "Ab-1"}},
		{`"id IN [1, '2_3']"`, []string{"1", "2_3"}},
		{`"id IN [1,2] AND genre = x"`, []string{"1", "2"}},
		{`"id IN [1,2] AND id IN [2,3]"`, []string{"2"}},
		{`"id = 1 OR id = 2"`, []string{"1", "2"}},
		{`"(id = 1 OR id = 2) AND NOT id = 1"`, []string{"1", "2"}},
		{`["id = 1", "genre = x"]`, []string{"1"}},
		{`[["id = 1", "id = 2"], "genre = x"]`, []string{"1", "2"}},
	} {
		set, ok := keyShards([]byte(c.filter), "id", shards)
		if want := shardsOf(c.keys, shards); !ok || !set.Equal(want) {
			t.Errorf("%s: %v %v, want the shards of %v", c.filter, ok, set.AppendList(nil, 64), c.keys)
		}
	}
	for _, f := range []string{
		``, `""`, `[]`, `"id != 5"`, `"NOT id = 5"`, `"id > 5"`, `"id 1 TO 2"`, `"id EXISTS"`, `"id = 5 OR genre = x"`, `[["id = 1", "genre = x"]]`,
		`"ids = 5"`, `"id.x = 5"`, `"genre = id"`, `"id = 9007199254740993"`, `"id = abcde"`, `"id = '５'"`, `"id ="`, `5`, `"id = 1 AND`,
	} {
		if set, ok := keyShards([]byte(f), "id", shards); ok {
			t.Errorf("%s is taken for the shards %v", f, set.AppendList(nil, 64))
		}
	}
	if set, ok := keyShards([]byte(`"id IN []"`), "id", shards); !ok || set.Len() != 1 {
		t.Errorf("a filter that nothing meets has %v %v", ok, set.AppendList(nil, 64))
	}
}

// Whatever keys a filter lists, their shards are found.
func FuzzKeyShards(f *testing.F) {
	f.Add("5", "genre = x")
	f.Add("00a-_", "NOT id = 5")
	f.Fuzz(func(t *testing.T, key, rest string) {
		text, err := json.Marshal([]string{"id = '" + key + "'", rest})
		if err != nil {
			return
		}
		set, ok := keyShards(text, "id", 64)
		if !ok {
			return
		}
		for _, c := range key {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
				return // no primary key
			}
		}
		if !set.Has(topology.ShardOf([]byte(key), 64)) && len(key) > 0 {
			t.Errorf("%s leaves out the shard of %q", text, key)
		}
	})
}
