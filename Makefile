# Every target sets up what it needs by itself, in .venv, pinned by constraints.txt.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# What pip builds is built with the pins, too: the first variable is for pips before 25.3.
PIP    := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
          $(BIN)/python -m pip --disable-pip-version-check --quiet
# An editable install that twistd sees: see setup.cfg, package_dir.
SELF   := --config-settings editable_mode=compat --editable
TESTS  ?= tests

# How long the long targets run; SECONDS is for each of FUZZ, all targets by default.
MINUTES   ?= 10
TIMES     ?= 200
SECONDS   ?= 60
SCHEDULES ?= 50000
ROUNDS    ?= 1000
SEED      ?= 0
JOBS      ?=

# The version in twistdp/_version.py.
VERSION_HERE = $(shell $(BIN)/python -c "import twistdp; print(twistdp.__version__.public())")

.PHONY: help demo test test-http test-matrix envtest test-scaffold test-systemd test-image operator-image bundle \
  packagemanifests test-manifests test-monitoring test-node test-page test-memory test-lowest test-newest test-python \
  bench conformance verdicts faults fuzz kill mutants soak lint types format audit docs diagram protos update-k8s wheel lock dist \
  version generate config-reference changelog clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## the whole life of a device plugin, in a few seconds
	$(BIN)/twistdp demo $(ARGS)

test: $(VENV)/.test ## the tests, several at a time, with branch coverage (TESTS=, JOBS=)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m tests $(if $(JOBS),-j $(JOBS)) $(TESTS); status=$$?; \
	  $(BIN)/coverage combine --quiet; $(BIN)/coverage report --fail-under=90 || status=1; exit $$status

test-matrix: $(VENV)/.test ## the rest of the tests: every fault, bug, check and page, and bad input (JOBS=)
	TWISTDP_FAULT_SCHEDULES=500 $(BIN)/python -m tests $(if $(JOBS),-j $(JOBS)) --matrix \
	  tests.faults.test_schedules

test-scaffold: $(VENV)/.test ## `twistdp new` to passing conformance in a fresh environment, a minute
	$(BIN)/python -m twisted.trial --reactor=asyncio tests.scaffold.whole

test-systemd: $(VENV)/.test ## the unit under a real systemd in a container, as root with apt-get (SUITE=)
	SUITE=$(SUITE) sh tests/systemd/prepare.sh .cache/systemd
	TWISTDP_SYSTEMD_TREE=$(CURDIR)/.cache/systemd/tree \
	  $(BIN)/python -m twisted.trial --reactor=asyncio tests.systemd

test-image: $(VENV)/.test ## the container image, made and put to the test, as root with apt-get (SUITE=, ARCH=)
	SUITE=$(SUITE) ARCH=$(ARCH) docker/test-image

operator-image: $(VENV)/.run ## the operator's image, by docker or buildah (IMAGE=, BUILD='buildah bud', ARGS=)
	$(or $(BUILD),$(if $(shell command -v docker),docker build,buildah bud)) --file docker/operator.Dockerfile \
	  --tag $(or $(IMAGE),twistdp-operator:$(VERSION_HERE)) $(ARGS) .

bundle: $(VENV)/.test ## the operator's bundle for OLM in bundle/, checked (VERSION=, CHANNELS=, IMAGE=, PLUGIN_IMAGE=, RELEASE=yes)
	$(BIN)/python .ci/bundle.py bundle $(if $(VERSION),--version=$(VERSION)) \
	  $(if $(CHANNELS),--channels=$(CHANNELS)) $(if $(DEFAULT_CHANNEL),--default-channel=$(DEFAULT_CHANNEL)) \
	  $(if $(IMAGE),--image=$(IMAGE)) $(if $(PLUGIN_IMAGE),--plugin-image=$(PLUGIN_IMAGE))
	$(BIN)/python .ci/check_bundle.py bundle $(if $(RELEASE),--release)

packagemanifests: ## the former name of `make bundle`: OLM takes no package manifests any more
	@echo "OLM and OperatorHub take bundles, which have replaced the format of package manifests: make bundle"
	$(MAKE) bundle

test-manifests: $(VENV)/.manifests ## the manifests against Kubernetes' schemas and kubectl
	$(BIN)/python -m twisted.trial --reactor=asyncio tests.cli.test_manifests tests.deployment \
	  tests.scaffold.test_deployment tests.operator.test_rendered

# The tests that a real API server runs too; without one they skip.
ENVTESTS = $(subst /,.,$(basename $(shell grep -rlE 'tests\.support\.(envtest|apicontract)' tests \
  --include='test_*.py')))

envtest: $(VENV)/.test ## the tests of controllers on the API server and etcd in KUBEBUILDER_ASSETS
	@test -n "$$KUBEBUILDER_ASSETS" || { \
	  echo "usage: make envtest KUBEBUILDER_ASSETS=DIRECTORY" >&2; exit 2; }
	"$$KUBEBUILDER_ASSETS"/kube-apiserver --version
	$(BIN)/python -m twisted.trial --reactor=asyncio $(ENVTESTS)

test-monitoring: $(VENV)/.test ## metrics, alerts and dashboard with Prometheus itself, from Debian
	tests/monitoring/prepare.sh .cache/prometheus
	TWISTDP_PROMETHEUS=$(CURDIR)/.cache/prometheus/usr/bin \
	  $(BIN)/python -m twisted.trial --reactor=asyncio tests.monitoring.whole

test-node: $(VENV)/.test ## on a node with a real kubelet, which tests/node/cluster.py says how to name; as root
	$(BIN)/python -m twisted.trial --reactor=asyncio tests.node \
	  tests.testing.test_kubelet.RealKubeletContractTests

test-page: $(VENV)/.test ## the page in Chromium, checked by axe-core, with pictures in build/page; as root with apt-get
	sh tests/page/prepare.sh .cache/page
	status=0; for each in live odd trouble many chance; do \
	  $(BIN)/python -m twisted.trial --reactor=asyncio tests.page.$$each || status=1; done; exit $$status

test-http: $(VENV)/.test ## whatever schemathesis asks a plugin over HTTP, half a minute
	test -x .venv-http/bin/openapi-spec-validator || { $(PYTHON) -m venv .venv-http && \
	  .venv-http/bin/python -m pip --disable-pip-version-check --quiet install schemathesis==4.32.5 \
	  openapi-spec-validator==0.9.0; }
	TWISTDP_SCHEMATHESIS=$(CURDIR)/.venv-http/bin/schemathesis \
	  $(BIN)/python -m twisted.trial --reactor=asyncio tests.web.fuzzed

test-memory: $(VENV)/.test ## the largest lists in the memory that the manifests allow, half a minute; as root
	$(BIN)/python -m twisted.trial --reactor=asyncio tests.memory.limit

bench: $(VENV)/.soak ## speed and size beside other plugins, a quarter of an hour (BASE=REV, ARGS=)
	$(BIN)/python -m benchmarks.bench $(if $(BASE),--base $(BASE)) $(ARGS)

conformance: $(VENV)/.test ## every broken plugin against every check, half an hour
	GRPC_VERBOSITY=ERROR $(BIN)/python -m tests.conformance.matrix

verdicts: $(VENV)/.test ## the suite on three plugins again and again, to see that verdicts are the same (TIMES=10)
	GRPC_VERBOSITY=ERROR $(BIN)/python -m tests.conformance.repeat $(if $(filter file,$(origin TIMES)),10,$(TIMES))

faults: $(VENV)/.test ## far more faults in any order than `make test` (SCHEDULES=, ROUNDS=, SEED=)
	TWISTDP_FAULT_SCHEDULES=$(SCHEDULES) TWISTDP_FAULT_ROUNDS=$(ROUNDS) TWISTDP_FAULT_SEED=$(SEED) \
	  $(BIN)/python -m twisted.trial --reactor=asyncio tests.faults tests.matrix.test_points

soak: $(VENV)/.soak ## a long run under load, MINUTES=10; soak.json and soak.svg
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) $(ARGS)

kill: $(VENV)/.run ## kill the plugin at random moments, TIMES=200
	$(BIN)/python -m benchmarks.kill --times $(TIMES) $(ARGS)

fuzz: $(VENV)/.fuzz ## bad input, found by coverage: SECONDS=60 for each target
	$(BIN)/python -m tests.fuzz $(SECONDS) $(FUZZ)

mutants: $(VENV)/.mutants ## small faults in the core and the operator: does a test notice each? two hours (MODULES=, JOBS=)
	JOBS=$(or $(JOBS),1) $(BIN)/python -m tests.mutants $(MODULES)

lint: $(VENV)/.lint ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.lint ## mypy, strict
	$(BIN)/mypy -p twistdp
	$(BIN)/mypy -p tests
	$(BIN)/mypy examples benchmarks

format: $(VENV)/.lint ## put the code in ruff's format
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

audit: $(VENV)/.lint ## known vulnerabilities of what is pinned, where a data base can be reached
	test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit && \
	  timeout 120 .venv-audit/bin/python -m pip --disable-pip-version-check --quiet install \
	  pip-audit==2.10.1; } || echo "audit: pip-audit cannot be installed"
	$(BIN)/python .ci/audit.py . .venv-audit/bin/pip-audit

# What shows soon whether a version of a dependency will do.
SOME_TESTS = $(subst /,.,$(basename $(wildcard tests/test_*.py))) tests.rpc tests.kubelet \
  tests.integration.test_life tests.cli.test_main tests.cli.test_completion tests.cli.test_terminal

test-lowest: ## some tests with the lowest versions that setup.cfg allows
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) .ci/bounds.py setup.cfg > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip --disable-pip-version-check --quiet install \
	  --constraint .venv-lowest/constraints.txt $(SELF) . hypothesis coverage setuptools wheel
	# What the tests use of it runs without grpcio, of which it wants a newer one.
	.venv-lowest/bin/python -m pip --disable-pip-version-check --quiet install --no-deps \
	  grpcio-tools==1.75.1
	.venv-lowest/bin/python -m twisted.trial --reactor=asyncio $(SOME_TESTS)

test-newest: ## the same tests with the newest versions, without any pin
	rm -rf .venv-newest
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip --disable-pip-version-check --quiet install wheel
	.venv-newest/bin/python -m pip --disable-pip-version-check --quiet install $(SELF) '.[test]'
	.venv-newest/bin/python -m twisted.trial --reactor=asyncio $(SOME_TESTS)

test-python: ## all tests on the Python of another Debian, in a tree of its own; as root (SUITE=forky)
	.ci/other-python $(or $(SUITE),forky) $(TESTS)

wheel: .venv-wheel/.done ## the wheel of this checkout, as for a project's wheels/ (WHEELS=DIR)
	@test -n "$$WHEELS" || { echo "usage: make wheel WHEELS=DIRECTORY" >&2; exit 2; }
	rm -rf build/lib build/bdist.*
	.venv-wheel/bin/python -m pip --disable-pip-version-check --quiet wheel --use-pep517 --no-index \
	  --no-deps --no-build-isolation --wheel-dir "$$WHEELS" .

.venv-wheel/.done: twistdp/deployment/requirements/build.txt
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
	  --requirement $<
	touch $@

lock: $(VENV)/.run ## the pins with hashes that images and projects are installed with
	test -x .venv-lock/bin/uv || $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip --disable-pip-version-check --quiet install uv==0.13.9
	$(BIN)/python .ci/lock.py .venv-lock/bin/uv

dist: .venv-dist/.done ## sdist, wheel and bill of materials in dist/, checked and tried
	.venv-dist/bin/python .ci/dist.py dist

version: $(VENV)/.run ## the version of the next release, in every file that has it (VERSION=0.2.0)
	@test -n "$$VERSION" || { echo "usage: make version VERSION=0.2.0" >&2; exit 2; }
	$(BIN)/incremental update twistdp --newversion="$$VERSION"
	$(BIN)/python .ci/render.py

generate: $(VENV)/.run ## everything that is made from code: CRD, samples, reference pages, Dockerfile
	$(BIN)/python .ci/render.py

config-reference: generate ## the same, by its older name

changelog: .venv-dist/.done ## move newsfragments/ into CHANGELOG.md, under _version.py's version
	.venv-dist/bin/towncrier build --yes --version "$$(.venv-dist/bin/python -c \
	  "exec(open('twistdp/_version.py').read()); print(__version__.public())")"

.venv-dist/.done: .ci/dist.txt
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/python -m pip --disable-pip-version-check --quiet install --upgrade pip
	.venv-dist/bin/python -m pip --disable-pip-version-check --quiet install --requirement $<
	touch $@

docs: ## a site of docs/ in build/docs, any warning is an error
	test -x .venv-docs/bin/python || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip --disable-pip-version-check --quiet install \
	  --requirement docs/requirements.txt --constraint constraints.txt $(SELF) .
	.venv-docs/bin/python -m sphinx --quiet --fail-on-warning --nitpicky --fresh-env \
	  -b html docs build/docs

diagram: ## draw docs/imports.svg again, and count the lines in docs/architecture.md
	$(PYTHON) .ci/diagram.py
	$(PYTHON) .ci/plan.py

protos: ## regenerate twistdp/kubelet/*_pb2.py from protos/
	test -x .venv-protos/bin/python || $(PYTHON) -m venv .venv-protos
	.venv-protos/bin/python -m pip --disable-pip-version-check --quiet install grpcio-tools==1.75.1
	.venv-protos/bin/python -m grpc_tools.protoc -Iprotos --python_out=twistdp/kubelet \
	  --pyi_out=twistdp/kubelet protos/*.proto
	sed -i 's/_descriptor_pool\.Default()/_descriptor_pool.DescriptorPool()/' twistdp/kubelet/*_pb2.py

update-k8s: $(VENV)/.test ## the kubelet's APIs of another Kubernetes, FROM=DIR or v1.37.0 (VERSION=1.37)
	test -x .venv-protos/bin/python || $(PYTHON) -m venv .venv-protos
	.venv-protos/bin/python -m pip --disable-pip-version-check --quiet install grpcio-tools==1.75.1
	.venv-protos/bin/python .ci/update_k8s.py "$$FROM" "$$VERSION"
	$(MAKE) protos
	$(BIN)/python -m twisted.trial --reactor=asyncio $(TESTS)

clean: ## remove what the targets made
	rm -rf $(VENV) .venv-* .cache build dist *.egg-info .coverage* _trial_temp* .mypy_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt wheel

$(VENV)/.run: $(VENV)/bin/python setup.cfg constraints.txt
	$(PIP) install --constraint constraints.txt $(SELF) .
	touch $@

$(VENV)/.test: $(VENV)/bin/python setup.cfg constraints.txt
	$(PIP) install --constraint constraints.txt $(SELF) '.[test]'
	touch $@ $(VENV)/.run

$(VENV)/.soak: $(VENV)/bin/python setup.cfg constraints.txt
	$(PIP) install --constraint constraints.txt $(SELF) '.[soak]'
	touch $@ $(VENV)/.run

$(VENV)/.fuzz: $(VENV)/bin/python setup.cfg constraints.txt
	$(PIP) install --constraint constraints.txt $(SELF) '.[test,fuzz]'
	touch $@ $(VENV)/.test $(VENV)/.run

$(VENV)/.mutants: $(VENV)/bin/python setup.cfg constraints.txt
	$(PIP) install --constraint constraints.txt $(SELF) '.[test,mutants]'
	touch $@ $(VENV)/.test $(VENV)/.run

$(VENV)/.manifests: $(VENV)/bin/python setup.cfg constraints.txt
	$(PIP) install --constraint constraints.txt $(SELF) '.[test,manifests]'
	touch $@ $(VENV)/.test $(VENV)/.run

$(VENV)/.lint: $(VENV)/bin/python setup.cfg constraints.txt
	$(PIP) install --constraint constraints.txt $(SELF) '.[test,lint]'
	touch $@ $(VENV)/.test $(VENV)/.run
