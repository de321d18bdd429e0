package actors

import (
	"bytes"
	"strings"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/sirupsen/logrus"
)

// What the actor library tells at info is for debugging; warnings are not.
func TestTheActorLibraryIsQuiet(t *testing.T) {
	for level, want := range map[logrus.Level]string{logrus.InfoLevel: "look", logrus.DebugLevel: "started DeadLetter look"} {
		var out bytes.Buffer
		log := logrus.New()
		log.Out, log.Level = &out, level
		sys := newSystem(log)
		nobody := actor.NewPID("nonhost", "nobody")
		sys.DeadLetter.SendUserMessage(nobody, &crash{"test"})
		sys.Logger().With("a", 1).WithGroup("g").Warn("look", "b", 2)
		sys.Shutdown()
		var got []string
		for _, word := range []string{"started", "DeadLetter", "look"} {
			if strings.Contains(out.String(), word) {
				got = append(got, word)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("at %s: %s", level, out.String())
		}
	}
}
