// The sunburst. Colours are the page's own variables, so that dark mode and paper change it without drawing anew.

const RING = [28, 99];
const CROWD = 300;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

const fillOf = (step) => (step === "errors" ? "url(#hatch)" : `var(--step-${step})`);
const inkOf = (step) => (step === "errors" || step < 3 ? "var(--step-ink-low)" : "var(--step-ink-high)");

class Chart {
  constructor(where, { pick, hover }) {
    this.where = where;
    this.chart = echarts.init(where, null, { renderer: "svg" });
    this.nodes = new Map();
    this.chart.on("click", ({ data }) => pick(this.nodes.get(data.id)));
    this.chart.on("mouseover", ({ data }) => hover(this.nodes.get(data.id)));
    this.chart.on("globalout", () => hover(null));
    this.chart.on("mouseout", () => hover(null));
    this.font = getComputedStyle(where).fontFamily;
    new ResizeObserver(() => this.resize()).observe(where);
  }

  resize() {
    const { clientWidth, clientHeight } = this.where;
    if (clientWidth && (clientWidth !== this.chart.getWidth() || clientHeight !== this.chart.getHeight())) this.chart.resize();
    this.letScale();
  }

  /** Lets paper, which has another width than the screen, scale the picture instead of cutting it off. */
  letScale() {
    const size = `0 0 ${this.chart.getWidth()} ${this.chart.getHeight()}`;
    this.where.querySelector("svg")?.setAttribute("viewBox", size);
  }

  show(root) {
    this.nodes.clear();
    this.chart.setOption({
      animation: !STILL.matches,
      animationDuration: 250,
      animationDurationUpdate: 350,
      textStyle: { fontFamily: this.font },
      series: [{
        type: "sunburst",
        data: root.children.map((node) => this.sector(node)),
        radius: RING.map((part) => `${part}%`),
        nodeClick: false,
        sort: null,
        startAngle: 90,
        labelLayout: { hideOverlap: true },
        itemStyle: { borderColor: "var(--card)" },
        emphasis: { focus: "none", itemStyle: { borderColor: "var(--ink)", borderWidth: 1.5 } },
        levels: levels(root, this.where.clientWidth),
      }],
    });
    this.letScale();
  }

  /** The library copies what it is given, so it gets no node (they know their parents) but the way back to it. */
  sector(node) {
    this.nodes.set(node.id, node);
    const [color, ink] = [fillOf(stepOf(node)), inkOf(stepOf(node))];
    return {
      id: node.id,
      name: node.name,
      value: node.total,
      itemStyle: { color },
      emphasis: { itemStyle: { color }, label: { color: ink } },
      label: { color: ink },
      children: node.children.map((child) => this.sector(child)),
    };
  }
}

const depthBelow = ({ children }) => (children.length ? 1 + depthBelow(children[0]) : 0);

/** One entry a ring; the outermost, single operations, is narrower where there are others. */
function levels(root, width) {
  const depth = depthBelow(root);
  const weights = Array.from({ length: depth }, (_, at) => (depth > 2 && at === depth - 1 ? 0.55 : 1));
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  let at = RING[0];
  const rings = weights.map((weight, ring) => {
    const from = at;
    at += ((RING[1] - RING[0]) * weight) / whole;
    return { r0: `${from}%`, r: `${at}%`, itemStyle: { borderWidth: borderOf(ring, depth, root.total) }, label: labelOf(ring, depth, ((at - from) / 200) * width) };
  });
  return [{}, ...rings];
}

/** Narrow sectors would be all border: the more there are, the thinner it is, most of all on the outside. */
function borderOf(ring, depth, total) {
  if (ring === 0 || total <= CROWD) return 1;
  return ring === depth - 1 ? 0.25 : 0.6;
}

function labelOf(ring, depth, room) {
  if ((depth > 2 && ring === depth - 1) || (ring > 0 && room < 40)) return { show: false };
  const around = ring === 0 && depth > 3;
  return {
    show: true,
    rotate: around ? "tangential" : "radial",
    minAngle: around ? 20 : 5,
    width: around ? 90 : room - 10,
    overflow: "truncate",
    fontSize: 11,
    fontWeight: around ? 600 : 400,
  };
}
