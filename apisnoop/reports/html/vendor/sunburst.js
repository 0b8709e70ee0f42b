// What the report needs of Apache ECharts, and no more: bundled into echarts-sunburst.min.js, see README.md.
import { init, use } from "echarts/core";
import { SunburstChart } from "echarts/charts";
import { SVGRenderer } from "echarts/renderers";

use([SunburstChart, SVGRenderer]);

export { init };
