package endpoint

import (
	"strings"
	"testing"
)

// A proxy that answers nothing is told of in words.
func TestEmptyStatisticsOfHAProxy(t *testing.T) {
	if _, err := parseHAProxyState(""); err == nil || strings.Contains(err.Error(), "%!") {
		t.Errorf("got %v", err)
	}
}
