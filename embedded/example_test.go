package embedded_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/miroir-search/miroir/embedded"
)

// A client that tries again is tested against a node that takes a write and loses the answer. In a test, embedded.RunT(t)
// starts the node on a free port and closes it at the end.
func Example() {
	node, err := embedded.Start(embedded.Options{
		Clock: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
	})
	if err != nil {
		panic(err)
	}
	defer node.Close()
	client := &http.Client{Transport: node.Transport()} // or node.URL(), with Options.Addr

	node.Faults().Add(embedded.Fault{Method: "POST", Path: "/indexes/*", DropAnswer: true, Times: 1})
	for try := 1; ; try++ {
		res, err := client.Post(node.URL()+"/indexes/films/documents", "application/json", strings.NewReader(`[{"id":1,"title":"Alien"}]`))
		if err != nil {
			fmt.Println("try", try, "failed")
			continue
		}
		fmt.Println("try", try, res.Status)
		_ = res.Body.Close()
		break
	}
	if err := node.Idle(context.Background()); err != nil { // until no task is left
		panic(err)
	}
	node.Stop() // as a crash would
	if err := node.Restart(); err != nil {
		panic(err)
	}
	res, err := client.Get(node.URL() + "/indexes/films/documents")
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(body))

	// Output:
	// try 1 failed
	// try 2 202 Accepted
	// {"results":[{"id":1,"title":"Alien"}],"offset":0,"limit":20,"total":1}
}
