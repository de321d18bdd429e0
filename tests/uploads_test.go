package tests

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/fleet"
)

// upload is a large payload in one of the formats.
type upload struct {
	name, contentType, encoding string
	chunked                     bool // no Content-Length
	body                        []byte
	documents                   int
}

const uploadText = "the shared words of a long description that goes on and on, as descriptions of films do, with a name here and a place there; "

// makeUpload makes a payload of about size bytes, of documents with a text of about
// length.
func makeUpload(name string, size, length int) *upload {
	u := &upload{name: name, contentType: "application/json"}
	b := bytes.NewBuffer(make([]byte, 0, size+2048))
	text := strings.Repeat(uploadText, 8)
	switch name {
	case "csv":
		u.contentType = "text/csv"
		b.WriteString("id,year:number,title,overview\n")
	case "json":
		b.WriteByte('[')
	default:
		u.contentType = "application/x-ndjson"
	}
	for ; b.Len() < size; u.documents++ {
		i := u.documents
		switch name {
		case "csv":
			fmt.Fprintf(b, "%s%d,%d,\"title \"\"%d\"\"\",\"%s\"\n", name, i, 1900+i%120, i, text[:length+i%90])
			continue
		case "json":
			if i > 0 {
				b.WriteByte(',')
			}
		}
		fmt.Fprintf(b, `{"id":"%s%d","year":%d,"title":"title %d","overview":"%s"}`, name, i, 1900+i%120, i, text[:length+i%90])
		if name != "json" {
			b.WriteByte('\n')
		}
	}
	if name == "json" {
		b.WriteByte(']')
	}
	u.body = b.Bytes()
	if name == "gzip" {
		u.encoding = "gzip"
		packed := &bytes.Buffer{}
		z, _ := gzip.NewWriterLevel(packed, gzip.BestSpeed) // a level that exists
		_, _ = z.Write(u.body)                              // a buffer takes everything
		_ = z.Close()
		u.body = packed.Bytes()
	}
	u.chunked = name == "ndjson"
	return u
}

// send uploads and returns the task.
func (u *upload) send(t *testing.T, s fleet.API, path string) int64 {
	t.Helper()
	var body io.Reader = bytes.NewReader(u.body)
	if u.chunked {
		body = io.MultiReader(body) // hides the length
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, body)
	if err != nil {
		t.Error(err)
		return -1
	}
	req.Header.Set("Content-Type", u.contentType)
	if u.encoding != "" {
		req.Header.Set("Content-Encoding", u.encoding)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Errorf("%s: %v", u.name, err)
		return -1
	}
	defer resp.Body.Close() //nolint:errcheck // it was read to its end
	raw, err := io.ReadAll(resp.Body)
	a := fleet.Answer{Status: resp.StatusCode, Body: raw}
	if err != nil || a.Status != http.StatusAccepted {
		t.Errorf("%s: %d %s (%v)", u.name, a.Status, raw, err)
		return -1
	}
	return a.TaskUID()
}

// peakMemory is the most that a process has had in memory, in MiB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Skip("no /proc here")
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kb >> 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// Four large uploads at once, each in another format, need little more memory than
// one document does: payloads go through the disk. Small documents are the hard case,
// because something is remembered of each until its write is carried out.
func TestLargeUploadsAtOnceNeedLittleMemory(t *testing.T) {
	if !long() {
		uploadAtOnce(t, 12_000_000, 90, 72) // that the documents are right is told by tests of the actors
		return
	}
	t.Run("of 0.9 KB", func(t *testing.T) {
		f, uids, documents := uploadAtOnce(t, 99_000_000, 800, 256)
		if t.Failed() {
			return
		}
		for _, uid := range uids {
			f.Succeeded(t, uid)
		}
		if peak := peakMemory(t, f.Proxy.PID()); peak > 256 {
			t.Errorf("%d MiB when all is done, want at most 256", peak)
		}
		var stats struct{ NumberOfDocuments int }
		f.Get(t, "/indexes/films/stats", &stats)
		if stats.NumberOfDocuments != documents {
			t.Errorf("%d documents, want %d", stats.NumberOfDocuments, documents)
		}
	})
	t.Run("of 0.2 KB", func(t *testing.T) { uploadAtOnce(t, 99_000_000, 90, 256) })
}

// uploadAtOnce sends four payloads of documents with texts of about length, and looks
// at the memory that the proxy needed, in MiB.
func uploadAtOnce(t *testing.T, size, length, limit int) (f *fleet.Fleet, uids []int64, documents int) {
	t.Helper()
	f = fleet.Start(t, fleet.Options{Groups: 1, PerGroup: 1})
	var all []*upload
	for _, name := range []string{"json", "ndjson", "csv", "gzip"} {
		all = append(all, makeUpload(name, size, length))
	}
	before := peakMemory(t, f.Proxy.PID())
	start := time.Now()
	var wg sync.WaitGroup
	uids = make([]int64, len(all))
	for i, u := range all {
		documents += u.documents
		wg.Add(1)
		go func() {
			defer wg.Done()
			uids[i] = u.send(t, f.API, "/indexes/films/documents?primaryKey=id")
		}()
	}
	wg.Wait()
	took, peak := time.Since(start), peakMemory(t, f.Proxy.PID())
	t.Logf("four uploads of %d MB, %d documents, in %v: %d MiB at most, %d MiB before",
		size/1_000_000, documents, took.Round(time.Millisecond), peak, before)
	if peak > limit {
		t.Errorf("%d MiB, want at most %d", peak, limit)
	}
	return f, uids, documents
}
