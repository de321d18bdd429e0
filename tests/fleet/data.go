package fleet

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Data reads one of the public data sets. The test is skipped without it.
// MIROIR_DATA names the directory; else it is looked for beside the module.
func Data(t testing.TB, name string, into any) {
	t.Helper()
	dir := os.Getenv("MIROIR_DATA")
	if dir == "" {
		_, here, _, _ := runtime.Caller(0)
		dir = filepath.Join(filepath.Dir(here), "..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(dir, name+".json.gz"))
	if err != nil {
		t.Skipf("the data set %s is not here (MIROIR_DATA can name its directory): %v", name, err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(into); err != nil {
		t.Fatal(err)
	}
}
