package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/topology"
)

// firstNodePort is where the nodes of a development fleet begin to listen; one
// whose port is taken gets another.
const firstNodePort = 7701

// fleet is the embedded nodes of `dev`. It is a miroirhttp.NodeSwitch.
type fleet struct {
	nodes []topology.Node
	byID  map[string]*embedded.Node
}

// startFleet starts groups × perGroup nodes called a0, a1 … b0, b1 …. dir is
// where they keep their data; empty for memory.
func startFleet(groups, perGroup int, dir, key string, log logrus.FieldLogger) (*fleet, error) {
	f := &fleet{byID: make(map[string]*embedded.Node)}
	for i := range groups * perGroup {
		id := groupName(i/perGroup) + strconv.Itoa(i%perGroup)
		o := embedded.Options{MasterKey: key, Logger: log.WithField("node", id), Addr: "127.0.0.1:" + strconv.Itoa(firstNodePort+i)}
		if dir != "" {
			o.Dir = filepath.Join(dir, id)
		}
		n, err := embedded.Start(o)
		if err != nil { // most likely the port is taken; if not, the next error says the same
			o.Addr = "127.0.0.1:0"
			n, err = embedded.Start(o)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start node %s: %w", id, err), f.close())
		}
		f.byID[id] = n
		f.nodes = append(f.nodes, topology.Node{ID: id, Address: n.URL(), Group: i / perGroup})
	}
	return f, nil
}

// groupName is a, b … z, then g26, g27 ….
func groupName(group int) string {
	if group < 26 {
		return string(rune('a' + group))
	}
	return "g" + strconv.Itoa(group) + "-"
}

// StopNode ends a node as a crash would.
func (f *fleet) StopNode(id string) (bool, error) {
	n, ok := f.byID[id]
	if ok {
		n.Stop()
	}
	return ok, nil
}

// StartNode starts a node again with its data.
func (f *fleet) StartNode(id string) (bool, error) {
	n, ok := f.byID[id]
	if !ok {
		return false, nil
	}
	return true, n.Restart()
}

func (f *fleet) close() error {
	var problems []error
	for _, n := range f.byID {
		problems = append(problems, n.Close())
	}
	return errors.Join(problems...)
}
