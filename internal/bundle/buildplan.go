package bundle

import (
	"fmt"

	"github.com/quorate/quorate/internal/catalog"
)

// buildPlan is the list of parts that a bundle consists of, each with the key
// of its inputs. Layers of images are not in it: they follow from the programs.
type buildPlan struct {
	programs   []plannedPrograms
	pause      plannedPart
	osPackages plannedPart
	userland   plannedPart
	haproxy    plannedPart // self-contained
	images     []imageSpec
}

// plannedPart is a part before it is made.
type plannedPart struct{ Name, Key string }

// plannedPrograms is a compiled part before it is made.
type plannedPrograms struct {
	plannedPart
	goPart
}

// newBuildPlan works out the parts of a bundle.
func newBuildPlan(r catalog.Release, arch string, extras []string, goVersion string, system distribution) (buildPlan, error) {
	plan := buildPlan{
		pause:      plannedPart{"pause-" + r.Pause, pauseKey(r, arch)},
		osPackages: plannedPart{system.key() + "-packages", osPackagesKey(system, arch)},
		userland:   plannedPart{"userland", userlandKey(system, arch)},
		haproxy:    plannedPart{"haproxy", selfContainedKey(system, arch)},
		images:     imageSpecs(r, extras),
	}
	for _, p := range goParts(r, arch, extras) {
		key, err := p.key(goVersion, arch)
		if err != nil {
			return buildPlan{}, fmt.Errorf("planning %s: %w", p.Name, err)
		}
		plan.programs = append(plan.programs, plannedPrograms{plannedPart{p.Name, key}, p})
	}
	return plan, nil
}

// inputs is a digest of everything that the bundle is made from.
func (p buildPlan) inputs() string {
	inputs := []any{recipeVersion, FormatVersion, p.pause, p.osPackages, p.userland, p.haproxy, p.images}
	for _, programs := range p.programs {
		inputs = append(inputs, programs.plannedPart)
	}
	return keyOf(inputs...)
}
